"""The whole machine in four steps: a net that learns to spell "hello" is built, drawn, differentiated and trained.

    h_t = tanh(W x_t + U h_{t-1} + b),   o_t = V h_t + c

Each letter predicts the next, the last one the end. The letter l is followed by l once and by o once, so a net
without memory cannot spell the word. The net is that of `tinygraph demo`, in `tinygraph/demo.py`.

All of it is right, 100% of the letters, after about 70 updates, in one second; the commonest letter alone gives 40%.

Run it: python examples/01_hello.py [--short] [--out FOLDER] [--seed N]
"""

from story import Story

import tinygraph as tg
from tinygraph import viz
from tinygraph.demo import END, WORD, build_hello, check_gradients, hello_feeds, spell, train_hello


def main() -> None:
    story = Story(__doc__)

    print("1. Build: equations become one tape of nodes.\n")
    net, feeds = build_hello(), hello_feeds()
    values = tg.initialise(net.graph.parameters, story.seed)
    print("\n".join(net.graph.text([net.hidden[2], net.scores[2]]).splitlines()))

    print("\n2. Draw: time from left to right, each parameter once.\n")
    story.picture(viz.draw(net.loss, title="hello"), "hello.svg")

    print("\n3. Differentiate: the gradient is more nodes on the same tape. Is it right?\n")
    print("parameter   slope by the gradient graph   by small differences")
    for name, (graph, differences) in check_gradients(net, values, feeds, story.seed).items():
        print(f"{name:9} {graph:29.9f} {differences:22.9f}")

    print("\n4. Train: until it spells the word from its own letters.\n")
    for step, loss, written in train_hello(net, values, feeds):
        if step & (step - 1) == 0:  # 1, 2, 4, 8, ...
            print(f"update {step:3}   loss {loss:6.3f}   spells {written}")
    print(f"update {step:3}   loss {loss:6.3f}   spells {written}, and {END} is the end")

    wanted = WORD[1:] + END
    right = sum(ours == theirs for ours, theirs in zip(spell(net, values)[1:], wanted, strict=False)) / len(wanted)
    commonest = max(wanted.count(letter) for letter in wanted) / len(wanted)
    story.score("letters right", right, commonest, trivial="always the commonest letter", goal=">= 100%", form=".0%")


if __name__ == "__main__":
    main()
