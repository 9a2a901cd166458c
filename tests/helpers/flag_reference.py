"""Capture the flag for one episode, slowly: written from the rules, to compare with."""

STEPS = {0: (0, 0), 1: (-1, 0), 2: (1, 0), 3: (0, -1), 4: (0, 1)}


class Episode:
    """One episode; places are (row, column) on the map, team 0 on the left."""

    def __init__(self, game, uniform):
        self.game = game
        self.middle = game.columns // 2
        self.first = int(8 * uniform)
        bottom, right = game.rows - 1, game.columns - 1
        self.base = [(0, 0), (bottom, 0), (0, right), (bottom, right)]
        depth = game.columns // 4
        self.home = [(game.rows // 2, depth), (game.rows // 2, right - depth)]
        self.place = list(self.base)
        self.flag = list(self.home)
        self.carrier = [None, None]  # who carries each team's flag
        self.captures = [0, 0]
        self.rounds = 0
        self.chosen = []

    @property
    def done(self):
        return self.rounds == self.game.horizon

    @property
    def mover(self):
        return len(self.chosen)

    def owner(self, place):
        """The team whose ground this is; None in the middle."""
        if place[1] == self.middle:
            return None
        return int(place[1] > self.middle)

    def wall(self, place):
        row, column = place
        inside = 0 <= row < self.game.rows and 0 <= column < self.game.columns
        return not inside or (column == self.middle and row % 2 == 1)

    def towards(self, player, action):
        row, column = self.place[player]
        down, ahead = STEPS[action]
        return row + down, column + (ahead if player < 2 else -ahead)

    def legal(self, player):
        return [a for a in STEPS if not self.wall(self.towards(player, a))]

    def order(self):
        shift = (self.first + self.rounds) % 4
        ring = [0, 2, 1, 3] if self.first < 4 else [2, 0, 3, 1]
        return ring[shift:] + ring[:shift]

    def choose(self, action):
        self.chosen.append(action)
        if len(self.chosen) == 4:
            for player in self.order():
                self.act(player, self.chosen[player])
            self.chosen = []
            self.rounds += 1

    def act(self, player, action):
        team, enemy = player // 2, 1 - player // 2
        there = self.towards(player, action)
        standing = [q for q in range(4) if q != player and self.place[q] == there]
        foes = [q for q in standing if q // 2 == enemy]
        if foes and self.owner(there) == team:
            (tagged,) = foes
            self.place[tagged] = self.base[tagged]
            self.chosen[tagged] = 0
            if self.carrier[team] == tagged:
                self.carrier[team] = None
        elif not standing and there not in self.shut(player):
            self.place[player] = there
            if self.carrier[enemy] == player:
                self.flag[enemy] = there
        if self.flag[enemy] == self.place[player]:
            self.carrier[enemy] = player
            if self.owner(self.place[player]) == team:
                self.captures[team] += 1
                self.carrier[enemy], self.flag[enemy] = None, self.home[enemy]
        if self.flag[team] == self.place[player]:
            self.flag[team] = self.home[team]

    def shut(self, player):
        others = [base for q, base in enumerate(self.base) if q != player]
        return [*others, self.home[player // 2]]

    def returns(self):
        lead = self.captures[0] - self.captures[1] if self.done else 0
        return [lead, lead, -lead, -lead]

    def inputs(self, player):
        """What a player sees, in the order of the table in the module."""
        game, team = self.game, player // 2
        row, column = self.place[player]
        reach = range(-game.view, game.view + 1)
        sign = 1 if team == 0 else -1
        view = [(row + i, column + sign * j) for i in reach for j in reach]
        enemies = [self.place[q] for q in range(4) if q // 2 != team]
        planes = [
            [self.wall(one) for one in view],
            [one == self.place[player ^ 1] for one in view],
            [one in enemies for one in view],
            [one == self.flag[team] for one in view],
            [one == self.flag[1 - team] for one in view],
            [r == row for r in range(game.rows)],
            [
                c == (column if team == 0 else game.columns - 1 - column)
                for c in range(game.columns)
            ],
        ]
        facts = [
            self.carrier[1 - team] == player,
            (game.horizon - self.rounds) / game.horizon,
            self.captures[team],
            self.captures[1 - team],
            self.order().index(player) / 3,
            player % 2,
        ]
        return [float(one) for plane in planes for one in plane] + [
            float(fact) for fact in facts
        ]
