"""Games as Gambit writes them, by hand, in the dialects of its format."""

PENNIES = """
EFG 2 R "neutral outcome at an inner node" { "A" "B" } ""
p "" 1 1 "" { "H" "T" } 0
p "" 2 1 "" { "h" "t" } 1 "neutral" { 0, 0 }
t "" 2 "" { 1, -1 }
t "" 3 "" { -1, 1 }
p "" 2 1 "" { "h" "t" } 0
t "" 3 "" { -1, 1 }
t "" 2 "" { 1, -1 }
"""

ONE_MOVE = """EFG 2 R "one move, no outcome" { "P1" } ""
p "" 1 1 "" { "a" } 0
t "" 0
"""

DRIVER = """EFG 2 R "absent-minded driver" { "D" "other" } ""
p "" 1 1 "road" { "exit" "go" } 0
t "" 1 "" { 0, 0 }
p "" 1 1 "road" { "exit" "go" } 0
t "" 2 "" { 4, 0 }
t "" 3 "" { 1, 0 }
"""

# Myerson (1991), section 2.1: ante 1, raise 1. The ante is paid at inner nodes, chance
# is spelled out in fractions, and "fold" and "pass" have one outcome each.
CARDS = """EFG 2 R "Myerson's card game" { "1" "2" }
"A comment with { braces }, commas and a \\"quote\\"
over two lines."

c "" 1 "deal" { "red" 1/2 "black" 1/2 } 0
p "" 1 1 "red" { "raise" "fold" } 1 "ante of 2" { 1 -1 }
p "" 2 7 "raised" { "meet" "pass" } 0
t "" 2 "red wins" { 1, -1 }
t "" 3 "nothing more" { 0, 0 }
t "" 3
p "" 1 2 "black" { "raise" "fold" } 4 "ante of 1" { -1, 1 }
p "" 2 7 0
t "" 5 "black loses" { -1 1 }
t "" 6 "wins both antes" { 2, -2 }
t "" 3 "nothing more" { 0, 0 }
"""

HORSE = """EFG 2 D "Selten's horse" { "One" "Two" "Three" }
p "" 1 1 "" { "C" "D" } 0
p "" 2 1 "" { "c" "d" } 0
t "" 1 "" { 1.0, 1.0, 1.0 }
p "" 3 1 "" { "L" "R" } 0
t "" 2 "" { 4. 4. 0 }
t "" 3 "" { 0, 0, +1 }
p "" 3 1 "" { "L" "R" } 0
t "" 4 "" { 3, 3, 2 }
t "" 5 "" { 0, 0, 0 }
"""

# What lies on the table is added at each move.
CENTIPEDE = """EFG 2 R "centipede, growing along the path" { "1" "2" } ""
p "a" 1 1 "" { "take" "leave" } 0
t "" 1 "" { 1, 0 }
p "b" 2 1 "" { "take" "leave" } 0
t "" 2 "" { 0, 2 }
p "c" 1 2 "" { "take" "leave" } 3 "pot" { 1, 1 }
t "" 4 "" { 2, 0 }
p "d" 2 2 "" { "take" "leave" } 0
t "" 5 "" { 1, 3 }
t "" 6 "" { 3, 2 }
"""

# Cho and Kreps (1987): the surly type has probability .9.
BEER = """EFG 2 D "beer or quiche" { "sender" "receiver" } ""
c "" 1 "" { "surly" 0.9 "wimp" 0.1 } 0
p "" 1 1 "surly" { "beer" "quiche" } 0
p "" 2 1 "beer" { "fight" "let be" } 0
t "" 1 "" { 1, 0 }
t "" 2 "" { 3, 1 }
p "" 2 2 "quiche" { "fight" "let be" } 0
t "" 3 "" { 0, 0 }
t "" 4 "" { 2, 1 }
p "" 1 2 "wimp" { "beer" "quiche" } 0
p "" 2 1 "beer" { "fight" "let be" } 0
t "" 5 "" { 0, 1 }
t "" 6 "" { 2, 0 }
p "" 2 2 "quiche" { "fight" "let be" } 0
t "" 7 "" { 1, 1 }
t "" 8 "" { 3, 0 }
"""

# One player who forgets the first move, but does not meet a set twice on a path.
FORGETFUL = """EFG 2 R "forgets" { "1" } ""
p "" 1 1 "first" { "l" "r" } 0
p "" 1 2 "then" { "L" "R" } 0
t "" 1 "" { 2 }
t "" 2 "" { 0 }
p "" 1 2 "then" { "L" "R" } 0
t "" 0
t "" 3 "" { 1 }
"""

# Large and unordered numbers, no labels, exponents, signs, no space around braces.
TERSE = """EFG 2 D ""{"" ""}
p ""2 999999999999999999 ""{"" ""}0
p ""1 100000 ""{"" ""}0
t ""17 ""{1e-1,-.1}
t ""0
p ""1 100000 0
t ""0
t ""17
"""

# Three times a third, given once; a branch that cannot happen.
DICE = """EFG 2 R "a die of three sides, thrown twice" { "guesser" } ""
c "first" 5 "" { "1" 1/3 "2" 1/3 "3" 1/3 } 0
c "again" 6 "" { "same" .25 "other" .75 "never" 0 } 1 "one" { 1 }
p "" 1 1 "" { "yes" "no" } 0
t "" 2 "right" { 4 }
t "" 0
t "" 3 "" { 0 }
t "" 4 "" { 1000000 }
c "again" 6 2 "right" { 4 }
p "" 1 1 0
t "" 2
t "" 0
t "" 3
t "" 4
t "" 2
"""

# Everybody has a mirror; payoffs by number; a player who never moves in between.
THREE = """EFG 2 R "three and an onlooker" { "a" "b" "onlooker" "c" } ""
p "" 1 1 "" { "0" "1" } 0
p "" 2 1 "" { "0" "1" } 0
p "" 4 1 "" { "0" "1" } 0
t "" 1 "all alike" { 1, 1, 9, 1 }
t "" 2 "c apart" { 0, 0, 0, -2 }
p "" 4 1 "" { "0" "1" } 0
t "" 3 "b apart" { 0, -2, 0, 0 }
t "" 4 "a apart" { -2, 0, 0, 0 }
p "" 2 1 "" { "0" "1" } 0
p "" 4 1 "" { "0" "1" } 0
t "" 4
t "" 3
p "" 4 1 "" { "0" "1" } 0
t "" 2
t "" 1
"""

QUOTES = r"""EFG 2 R "a \"title\" {with} p \"\" 1 1" { "O\"Neil" "t \"\" 0" }
p "\"" 1 1 "c \"x\"" { "say \"hi\"" "}" } 0
t "t" 1 "{ 5, 5 }" { 1, 2 }
t "" 2 "\"" { 3, 4 }
"""
