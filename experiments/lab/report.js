// Draws the charts of a report and lets its legends show and hide names.
const unpacked = async (id) => {
  const text = document.getElementById(id).textContent;
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).text();
};
const draw = async () => {
  const library = document.createElement("script");
  library.textContent = await unpacked("library");
  document.head.append(library);
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    actions: { export: true, source: false, compiled: false, editor: false },
  };
  const all = [];
  for (const figure of document.querySelectorAll("figure")) {
    const data = figure.querySelector("script[type='application/json']");
    if (!data) continue;
    const places = figure.querySelectorAll(".plot");
    const drawn = JSON.parse(data.textContent).map((spec, k) =>
      vegaEmbed(places[k], spec, options).then((made) => made.view)
    );
    all.push(...drawn);
    const buttons = [...figure.querySelectorAll(".legend button")];
    const show = () => {
      const hidden = buttons
        .filter((one) => one.getAttribute("aria-pressed") === "false")
        .map((one) => one.dataset.name);
      for (const view of drawn)
        view.then((one) => one.signal("hidden", hidden).runAsync());
    };
    const press = (one, on) => one.setAttribute("aria-pressed", String(on));
    for (const button of buttons) {
      button.addEventListener("click", () => {
        press(button, button.getAttribute("aria-pressed") === "false");
        show();
      });
      button.addEventListener("dblclick", () => {
        const alone = buttons.every(
          (one) => one === button || one.getAttribute("aria-pressed") === "false"
        );
        buttons.forEach((one) => press(one, alone || one === button));
        show();
      });
    }
  }
  await Promise.all(all);
  return all.length;
};
if (window.DecompressionStream) window.charts = draw();
else
  for (const figure of document.querySelectorAll(".plot"))
    figure.textContent =
      "This browser is from before 2023 and cannot draw the chart; the same picture lies beside this file, in plots.";
