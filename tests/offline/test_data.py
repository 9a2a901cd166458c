import json
import zipfile

import numpy as np
import pytest
import torch

from metaspiel.games import bargaining_rules as rules
from metaspiel.games.bargaining import Bargaining
from metaspiel.learn.policies import drawn
from metaspiel.nfg.errors import UserError
from offline import data, record, validate

GAME = Bargaining()


@pytest.fixture(scope="module")
def some():
    return record.collect(GAME, 40, 3)


def fields(dataset):
    names = ("game", "symmetric", "head", "behaviour", "seed", "mirror")
    about = {name: getattr(dataset, name) for name in names}
    return about | {name: getattr(dataset, name).copy() for name in validate.AXES}


def equal(one, two):
    return all(
        np.array_equal(getattr(one, name), getattr(two, name)) for name in fields(one)
    )


def instances(dataset, rows):
    """What ``replay`` asks for, read off a data set."""
    first = dataset.states[rows, 0]
    actions = [
        dataset.action[row, : dataset.length[row]].tolist()
        for row in np.arange(dataset.trajectories)[rows]
    ]
    return (
        dataset.mover[rows, 0].copy(),
        first[:, 2:5].astype(np.int64),
        np.stack([first[:, 5:8], first[:, 11:14]], 1),
        actions,
    )


def test_uniform_play_is_that_of_the_game():
    many = record.collect(GAME, 4000, 0, mirror="none")
    deals = many.action[np.arange(4000), many.length - 1] == rules.ACCEPT
    assert abs(deals.mean() - 0.33) < 0.03
    assert abs(many.length.mean() - 9.4) < 0.15
    assert abs(many.returns.mean() - 2.7) < 0.2
    assert many.sizes == data.Sizes(
        players=2, actions=109, state=15, observation=11, vector=3, head=8, longest=11
    )
    assert many.sizes.inputs == GAME.inputs


def test_the_seed_decides_everything(some):
    assert equal(some, record.collect(GAME, 40, 3))
    assert not equal(some, record.collect(GAME, 40, 4))


def test_a_mirror_is_the_episode_with_the_players_exchanged(some):
    one, two = some.subset(np.arange(0, 40, 2)), some.subset(np.arange(1, 40, 2))
    played = np.arange(11) < one.length[:, None]
    assert np.array_equal(one.length, two.length)
    assert np.array_equal(one.action, two.action)
    assert np.array_equal(one.legal, two.legal)
    assert np.array_equal(one.mover[played], 1 - two.mover[played])
    assert np.array_equal(one.returns, two.returns[:, ::-1])
    assert np.array_equal(one.observations, two.observations[:, :, ::-1])
    # The rules say the same of the exchanged instance.
    replayed = record.replay(GAME, *instances(some, slice(1, None, 2)), behaviour="x")
    assert np.array_equal(replayed.states, two.states)
    assert np.array_equal(replayed.returns, two.returns)


def test_without_mirrors_all_episodes_are_independent():
    none = record.collect(GAME, 40, 3, mirror="none")
    assert none.episode.tolist() == list(range(40))
    assert len(np.unique(none.states[:, 0, 5])) == 40


def test_a_mixture_draws_one_profile_an_episode():
    seen = []

    def act(position, chosen, uniforms):
        seen.append(torch.stack([position.mover[0], chosen[0]]))
        return drawn(position.legal, uniforms)

    # Both players use policy 0 or 1, or both use 2 or 3.
    mixture = np.array([[[1, 0, 0, 0], [0, 1, 0, 0]], [[0, 0, 1, 0], [0, 0, 0, 1.0]]])
    record.collect(GAME, 400, 0, act=act, mixture=mixture, behaviour="m", mirror="none")
    mover, first = seen[0]
    assert set(first[mover == 0].tolist()) == {0, 2}
    assert set(first[mover == 1].tolist()) == {1, 3}
    later, second = seen[1]
    goes_on = later != mover  # it is over where the mover stays
    assert torch.equal(first[goes_on] // 2, second[goes_on] // 2)
    assert abs((first // 2).double().mean() - 0.5) < 0.1


def test_save_and_load_keep_everything(some, tmp_path):
    data.save(some, tmp_path / "d")
    read = data.load(tmp_path / "d", GAME.name, some.sizes)
    assert equal(some, read)
    assert {p.name for p in (tmp_path / "d").iterdir()} == {
        "manifest.json",
        "arrays.npz",
    }


def test_split_keeps_mirrors_together(some):
    train, held = some.split(0.25, 0)
    assert (train.trajectories, held.trajectories) == (30, 10)
    for part in (train, held):
        assert np.array_equal(part.returns[::2], part.returns[1::2, ::-1])
    with pytest.raises(UserError, match="both parts must hold an episode"):
        some.split(0.01, 0)


def put(name, index, value):
    return lambda arrays: arrays[name].__setitem__(index, value)


def pay_without_a_deal(arrays):
    arrays["length"][7] = 1
    arrays["returns"][7, 0] = 1


BREAK = {
    "must have 1 to 11 moves": put("length", 7, 12),
    "must have finite states": put("states", (7, 0, 3), np.nan),
    "must have finite observations": put("observations", (7, 0, 1, 3), np.inf),
    "must have finite returns": put("returns", (7, 0), np.nan),
    "must be of players 0 to 1": put("mover", (7, 0), 2),
    "move in turns": lambda a: put("mover", (7, 0), 1 - a["mover"][7, 0])(a),
    "must have actions 0 to 108": put("action", (7, 0), 109),
    "must take legal actions": put("action", (7, 0), 108),
    "must pay 0 because no deal ends it": pay_without_a_deal,
}


@pytest.mark.parametrize("sentence", BREAK)
def test_the_first_bad_trajectory_is_named(some, sentence, tmp_path):
    broken = fields(some)
    BREAK[sentence](broken)
    broken["length"][9] = 0  # a later one is bad as well
    with pytest.raises(UserError, match=rf"trajectory 7 .*{sentence}"):
        data.Dataset(**broken)


def test_going_on_after_a_deal_is_refused(some):
    broken = fields(some)
    row = np.flatnonzero(broken["length"] > 3)[0]
    broken["action"][row, 1] = rules.ACCEPT
    with pytest.raises(UserError, match=f"trajectory {row} must end with an action"):
        data.Dataset(**broken)


def test_shapes_are_checked(some):
    def check(head=8, **changes):
        arrays = {name: getattr(some, name) for name in validate.AXES}
        validate.check("here", arrays | changes, head, mirrored=True)

    check()
    with pytest.raises(UserError, match=r"here: 'legal' must have axes .* A = 109"):
        check(legal=some.legal[..., :-1])
    with pytest.raises(UserError, match="'states' must be float32"):
        check(states=some.states.astype(np.float64))
    with pytest.raises(UserError, match="head must be 0 to 11"):
        check(head=12)
    with pytest.raises(UserError, match="vectors must be finite"):
        check(vectors=np.full_like(some.vectors, np.nan))
    with pytest.raises(UserError, match="axis n must not be empty"):
        some.subset(np.arange(0))
    with pytest.raises(UserError, match="must come in pairs; got 3"):
        some.subset(np.arange(3))


def spoil(folder, **changes):
    place = folder / "manifest.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | changes))


def test_a_damaged_folder_is_refused(some, tmp_path):
    def fresh(name):
        data.save(some, tmp_path / name)
        return tmp_path / name

    folder = fresh("truncated")
    content = (folder / "arrays.npz").read_bytes()
    (folder / "arrays.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="checksum in the manifest"):
        data.load(folder)
    spoil(folder, sha256=data._checksum(folder / "arrays.npz"))
    with pytest.raises(UserError, match=r"arrays\.npz: it must be a readable"):
        data.load(folder)

    folder = fresh("format")
    spoil(folder, format=2)
    with pytest.raises(UserError, match="format must be 1; got 2"):
        data.load(folder)

    folder = fresh("field")
    spoil(folder, head="8")
    with pytest.raises(UserError, match="'head' in the manifest must be int; got '8'"):
        data.load(folder)
    spoil(folder, head=8, mirror="both")
    with pytest.raises(UserError, match="mirror must be 'counted' or 'none'"):
        data.load(folder)
    place = folder / "manifest.json"
    place.write_text('{"format": 1}')
    with pytest.raises(UserError, match="must have 'game'; it is missing"):
        data.load(folder)
    place.write_text("{")
    with pytest.raises(UserError, match="must be readable JSON"):
        data.load(folder)
    place.unlink()
    with pytest.raises(UserError, match=r"must hold manifest\.json"):
        data.load(folder)

    folder = fresh("array")
    arrays = {name: getattr(some, name) for name in validate.AXES if name != "mover"}
    np.savez(folder / "arrays.npz", **arrays)
    spoil(folder, sha256=data._checksum(folder / "arrays.npz"))
    with pytest.raises(UserError, match="must hold 'mover'; it is missing"):
        data.load(folder)
    (folder / "arrays.npz").unlink()
    with pytest.raises(UserError, match=r"must hold arrays\.npz"):
        data.load(folder)


def test_a_bad_trajectory_in_a_file_is_named(some, tmp_path):
    data.save(some, tmp_path)
    arrays = {name: getattr(some, name).copy() for name in validate.AXES}
    arrays["states"][5, 0, 0] = np.nan
    np.savez(tmp_path / "arrays.npz", **arrays)
    spoil(tmp_path, sha256=data._checksum(tmp_path / "arrays.npz"))
    with pytest.raises(UserError, match="trajectory 5 must have finite states"):
        data.load(tmp_path)


def test_another_game_is_refused(some, tmp_path):
    data.save(some, tmp_path)
    with pytest.raises(UserError, match="the game must be chess; got barg"):
        data.load(tmp_path, "chess")
    with pytest.raises(UserError, match=r"it must have Sizes\(players=3"):
        data.load(
            tmp_path,
            sizes=data.Sizes(
                players=3,
                actions=109,
                state=15,
                observation=11,
                vector=3,
                head=8,
                longest=11,
            ),
        )


def test_episodes_of_a_user_are_replayed_through_the_rules(some):
    given = instances(some, slice(0, None, 2))
    replayed = record.replay(GAME, *given, behaviour="uniform", mirror="counted")
    assert replayed.seed is None
    for name in validate.AXES:
        assert np.array_equal(getattr(replayed, name), getattr(some, name)), name


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda f, p, v, a: a[4].__setitem__(0, 108), "move 0 is 108"),
        (lambda f, p, v, a: a[4].append(0), "stop at its end"),
        (lambda f, p, v, a: a[4].pop(), "go on to its end"),
        (lambda f, p, v, a: p.__setitem__(4, 9), "have a pool"),
        (lambda f, p, v, a: v.__setitem__(4, 9.0), "have valuations"),
        (lambda f, p, v, a: v.__setitem__(4, np.nan), "have valuations"),
        (lambda f, p, v, a: f.__setitem__(4, 2), "begin with player 0 or 1"),
    ],
)
def test_impossible_episodes_are_named(some, change, sentence):
    given = instances(some, slice(0, None, 2))
    change(*given)
    given[3][6].append(0)  # a later one is bad as well
    with pytest.raises(UserError, match=rf"trajectory 4 .*{sentence}"):
        record.replay(GAME, *given, behaviour="mine")


def test_impossible_requests_are_refused():
    with pytest.raises(UserError, match="even with mirrors counted; got 3"):
        record.collect(GAME, 3, 0)
    with pytest.raises(UserError, match="probabilities that sum to 1"):
        record.collect(GAME, 4, 0, mixture=np.full((1, 2, 3), 0.5))


def test_a_number_that_is_no_action_is_not_made_one(some):
    first, pools, values, actions = instances(some, slice(0, None, 2))
    for wrong in (0.9, 108.0, True, "1"):
        spoilt = [list(episode) for episode in actions]
        spoilt[4][0] = wrong
        with pytest.raises(UserError, match="trajectory 4 must take whole numbers"):
            record.replay(GAME, first, pools, values, spoilt, behaviour="mine")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda f, p, v: (f[:-1], p, v), "first"),
        (lambda f, p, v: (f.astype(float), p, v), "first"),
        (lambda f, p, v: (f, p[:, :2], v), "pools"),
        (lambda f, p, v: (f, p.astype(np.float64), v), "pools"),
        (lambda f, p, v: (f, p.astype(np.int32), v), "pools"),
        (lambda f, p, v: (f, p, v[:, 0]), "valuations"),
    ],
)
def test_arrays_of_the_wrong_shape_are_refused(some, change, name):
    *given, actions = instances(some, slice(0, None, 2))
    with pytest.raises(UserError, match=rf"replay\(\): .* {name} must be an array"):
        record.replay(GAME, *change(*given), actions, behaviour="mine")


def test_data_of_the_game_are_verified(some):
    record.verify(some, GAME)
    record.verify(record.collect(GAME, 7, 1, mirror="none"), GAME)
    other = Bargaining(0.9)
    record.verify(record.collect(other, 8, 1), other)


def beyond_the_pool(arrays):
    """An offer of more than there is, called legal."""
    arrays["legal"][7, 0, :] = True
    arrays["action"][7, 0] = 107 if not arrays["states"][7, 0, 2] >= 5 else 5


def no_mirrors(arrays):
    for name in ("states", "observations", "legal", "action", "mover", "length"):
        arrays[name][7] = arrays[name][6]
    arrays["returns"][7] = arrays["returns"][6]


UNTRUE = {
    "'vectors' must be": lambda a: a.__setitem__("vectors", a["vectors"][::-1].copy()),
    "'paying' must be": lambda a: (put("paying", 108, False)(a), pay_nothing(a)),
    "trajectory 7 must take legal actions": beyond_the_pool,
    "trajectory 7 must have the legal": put("legal", (7, 0), True),
    "trajectory 0 must have a pool": put("states", (slice(None), slice(None)), 7.0),
    "trajectory 7 must have a pool": put("states", (7, 0, 2), 1e30),
    "trajectory 7 must have the states": put("states", (7, 0, 0), 1.0),
    "trajectory 7 must have the observations": put("observations", (7, 0, 1, 5), 9.0),
    "must have the returns": lambda a: a.__setitem__("returns", a["returns"] * 100),
    "trajectory 7 must be the one before it": no_mirrors,
}


def pay_nothing(arrays):
    arrays["returns"][:] = 0


@pytest.mark.parametrize("sentence", UNTRUE)
def test_what_is_not_of_the_game_is_named(some, sentence):
    untrue = fields(some)
    UNTRUE[sentence](untrue)
    data_set = data.Dataset(**untrue)  # it is not against itself
    with pytest.raises(UserError, match=sentence):
        record.verify(data_set, GAME)


def test_data_that_claim_another_game_are_refused(some):
    for change, name in (({"symmetric": False}, "symmetric"), ({"head": 7}, "sizes")):
        with pytest.raises(UserError, match=f"its {name} must be"):
            record.verify(data.Dataset(**fields(some) | change), GAME)
    with pytest.raises(UserError, match="its game must be"):
        record.verify(some, Bargaining(0.9))
    longer = fields(some)
    for name in ("states", "observations", "legal", "action", "mover"):
        longer[name] = np.concatenate([longer[name], longer[name][:, :1]], 1)
    with pytest.raises(UserError, match="its sizes must be"):
        record.verify(data.Dataset(**longer), GAME)


def test_a_damaged_archive_with_its_checksum_is_refused(some, tmp_path):
    data.save(some, tmp_path)
    place = tmp_path / "arrays.npz"
    whole = place.read_bytes()

    def refused(sentence):
        spoil(tmp_path, sha256=data._checksum(place))
        with pytest.raises(UserError, match=sentence):
            data.load(tmp_path)

    place.write_bytes(b"")
    refused(r"arrays\.npz: it must be a readable")
    with open(place, "wb") as file:
        np.save(file, some.returns)
    refused(r"it is one array \(\.npy\), not an archive of several")
    # Within the largest member: the archive's own directory stays whole.
    at = whole.index(b"states.npy") + 200
    place.write_bytes(whole[:at] + bytes(64) + whole[at + 64 :])
    refused(r"arrays\.npz: it must be a readable")
    arrays = {name: getattr(some, name) for name in validate.AXES if name != "states"}
    np.savez(place, **arrays)
    with zipfile.ZipFile(place, "a") as archive:
        archive.writestr("states", b"no array")
    refused("it holds 'states' twice, or as no array")
    manifest = tmp_path / "manifest.json"
    manifest.unlink()
    manifest.mkdir()
    with pytest.raises(UserError, match=r"manifest\.json' must be readable JSON"):
        data.load(tmp_path)


def test_a_save_that_is_cut_short_leaves_no_whole_data_set(some, tmp_path, monkeypatch):
    data.save(some, tmp_path)
    before = (tmp_path / "arrays.npz").read_bytes()

    def cut(file, **arrays):
        file.write(b"PK")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez_compressed", cut)
    with pytest.raises(OSError, match="no space left"):
        data.save(some.subset(np.arange(4)), tmp_path)
    assert (tmp_path / "arrays.npz").read_bytes() == before
    with pytest.raises(UserError, match=r"must hold manifest\.json"):
        data.load(tmp_path)


def test_a_data_set_that_unpacks_to_gigabytes_is_refused_unpacked(some, tmp_path):
    data.save(some, tmp_path)
    place = tmp_path / "arrays.npz"
    whole = bytearray(place.read_bytes())
    at = whole.rindex(b"states.npy") - 46  # its entry in the archive's directory
    assert whole[at : at + 4] == b"PK\x01\x02"
    whole[at + 24 : at + 28] = (1_400_000_000).to_bytes(4, "little")
    place.write_bytes(whole)
    spoil(tmp_path, sha256=data._checksum(place))
    with pytest.raises(UserError, match=r"would unpack to 1\.4 GB, and memory_gb"):
        data.load(tmp_path)


def test_hostile_names_in_a_manifest_are_shown_as_one_short_line(some, tmp_path):
    data.save(some, tmp_path)
    for changes in (
        {"game": "<script>\n\x1b[2J\ud800" + "x" * 5000},
        {"mirror": "\x00" * 5000},
        {"sha256": "\n" * 64},
        {"head": "\ud800" * 5000},
    ):
        data.save(some, tmp_path)
        spoil(tmp_path, **changes)
        with pytest.raises(UserError) as caught:
            data.load(tmp_path, game="bargaining")
        assert str(caught.value).isprintable() and len(str(caught.value)) < 600
