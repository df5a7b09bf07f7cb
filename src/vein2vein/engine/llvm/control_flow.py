"""Control flow for generated assembly: branches, loops and single lanes, on top of ``vector_math.Assembly``."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from vein2vein.engine.llvm.vector_math import Assembly

_UNROLLED, _FEW = 8, 16
"""Numbers copied in one go of a loop; up to how many no loop is made."""


class Function(Assembly):
    """Collects a function with branches and loops; its local variables are made once, at its entry."""

    def __init__(self, width: int, fused: bool = True) -> None:
        super().__init__(width, fused)
        self.entry: list[str] = []

    def local(self, name: str, kind: str, count: int = 1) -> str:
        """Make a local array; return the pointer."""
        self.entry.append(f"  %{name} = alloca {kind}, i64 {count}, align 64")
        return f"%{name}"

    def text(self, head: str) -> str:
        """Whole function under its head."""
        return "\n".join([head, "entry:", *self.entry, "  br label %start", "start:", *self.lines, "}"])

    def get(self, pointer: str, index: int | str = 0, kind: str = "i64") -> str:
        """One number of an array."""
        return self.put(f"load {kind}, ptr {self.at(pointer, index, kind)}, align 8", "s")

    def set(self, value: str, pointer: str, index: int | str = 0, kind: str = "i64") -> None:
        """Write one number of an array."""
        self.do(f"store {kind} {value}, ptr {self.at(pointer, index, kind)}, align 8")

    def whole(self, op: str, a: str, b: str | int) -> str:
        """Operation of two 64-bit integers."""
        return self.put(f"{op} i64 {a}, {b}", "s")

    def flags(self, pointer: str) -> str:
        """Mask that is kept as integers."""
        return self.put(f"icmp ne {self.integers} {self.numbers(pointer)}, zeroinitializer", "m")

    def flag(self, mask: str, pointer: str) -> None:
        """Keep a mask as integers."""
        wide = self.put(f"zext {self.mask} {mask} to {self.integers}")
        self.do(f"store {self.integers} {wide}, ptr {pointer}, align 8")

    def numbers(self, pointer: str) -> str:
        """Vector of integers."""
        return self.put(f"load {self.integers}, ptr {pointer}, align 8")

    def put_where(self, mask: str, value: str, pointer: str, index: int | str = 0) -> None:
        """Write a vector in the lanes of a mask."""
        self.store(self.select(mask, value, self.load(pointer, index)), pointer, index)

    @contextmanager
    def when(self, condition: str) -> Generator[None]:
        """Run the body where a single bit is set."""
        inside, after = self.name("then"), self.name("then")
        self.do(f"br i1 {condition}, label {inside}, label {after}")
        self.lines.append(f"{inside[1:]}:")
        yield
        self.do(f"br label {after}")
        self.lines.append(f"{after[1:]}:")

    @contextmanager
    def cycle(self) -> Generator[Leave]:
        """Repeat the body until it leaves."""
        head, after = self.label("cycle"), self.name("left")
        yield Leave(self, after)
        self.do(f"br label {head}")
        self.lines.append(f"{after[1:]}:")

    @contextmanager
    def each_lane(self, mask: str) -> Generator[str]:
        """Run the body for every lane of a mask; gives its number."""
        flags, counter = (self.local(self.name(stem)[1:], kind) for stem, kind in (("f", self.integers), ("n", "i64")))
        self.flag(mask, flags)
        self.set("0", counter)
        with self.cycle() as loop:
            lane = self.get(counter)
            loop.unless(self.put(f"icmp ult i64 {lane}, {self.width}", "c"))
            self.set(self.whole("add", lane, 1), counter)
            with self.when(self.put(f"icmp ne i64 {self.get(flags, lane)}, 0", "c")):
                yield lane

    def copy(self, count: int, source: str, place: str, target: str, lane: str, inward: bool) -> None:
        """Copy a row of numbers into a lane of an array of vectors, or out of it."""

        def one(i: str | int) -> None:
            row = self.whole("add", place, i)
            column = self.whole("add", self.whole("mul", str(i), self.width), lane)
            if inward:
                self.set(self.get(source, row, "double"), target, column, "double")
            else:
                self.set(self.get(target, column, "double"), source, row, "double")

        whole = count // _UNROLLED if count > _FEW else 0
        if whole:

            def body(i: str, _: list[str]) -> list[str]:
                first = self.whole("mul", i, _UNROLLED)
                for j in range(_UNROLLED):
                    one(self.whole("add", first, j))
                return []

            self.loop(whole, [], body)
        for i in range(whole * _UNROLLED, count):
            one(i)


class Leave:
    """Way out of a cycle."""

    def __init__(self, function: Function, after: str) -> None:
        self._function = function
        self._after = after

    def unless(self, condition: str) -> None:
        """Leave where a single bit is not set."""
        going = self._function.name("on")
        self._function.do(f"br i1 {condition}, label {going}, label {self._after}")
        self._function.lines.append(f"{going[1:]}:")

    def now(self, mask: str) -> None:
        """Leave where no lane of a mask is set."""
        self.unless(self._function.any(mask))
