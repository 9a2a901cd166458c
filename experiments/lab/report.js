// Draws the charts of a report and lets its legends show and hide names.
(() => {
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
  window.charts = Promise.all(all).then(() => all.length);
})();
