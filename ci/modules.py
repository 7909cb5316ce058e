#!/usr/bin/env python3
"""Import circles of each crate, and lines per folder.

    ci/modules.py [--lines] [CRATE]...

A file imports another one if it names the other's module or an item in it; a re-export is followed to the file that
defines the item. Unit tests and a parent's re-exports of its children's items don't count. Fails on a circle in a crate
that had none.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# crates with circles from before this check: listed, no failure
OLD = {"hdl/emit", "hdl/verilate", "host/holder", "sim", "xtask"}
NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?\'(?:\\.|[^\'\\])\'', re.S)
USE = re.compile(r"((?:pub(?:\([^)]*\))?\s+)?)use\s+([^;]+);")
NAMED = re.compile(r"(?<![\w:])(\w+(?:::\w+)+)")


def code(path):
    """A file's text without comments, literals and unit tests."""
    text = NOISE.sub('""', path.read_text())
    while test := re.search(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub )?mod \w+ \{", text):
        end, depth = test.end(), 1
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        text = text[: test.start()] + text[end:]
    return text


def leaves(tree, prefix=()):
    """The paths of a use tree, and the name under which each is known."""
    tree = tree.strip()
    head, brace, rest = tree.partition("{")
    if not brace:
        path, _, name = tree.partition(" as ")
        path = prefix + tuple(s.strip() for s in path.split("::") if s.strip())
        path = path[:-1] if path[-1] == "self" and len(path) > 1 else path
        yield path, name.strip() or path[-1]
        return
    prefix += tuple(s for s in head.strip().split("::") if s)
    depth, start, inner = 0, 0, rest.rpartition("}")[0] + ","
    for at, char in enumerate(inner):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            if inner[start:at].strip():
                yield from leaves(inner[start:at], prefix)
            start = at + 1


class Crate:
    def __init__(self, folder):
        self.files = {}
        for path in sorted((folder / "src").rglob("*.rs")):
            parts = path.relative_to(folder / "src").with_suffix("").parts
            self.files[parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts] = path
        text = {module: code(path) for module, path in self.files.items()}
        self.uses = {
            module: [(bool(public), path, name) for public, tree in USE.findall(t) for path, name in leaves(tree)]
            for module, t in text.items()
        }
        self.names = {(m, name): path for m, all in self.uses.items() for _, path, name in all if path[-1] != "*"}
        self.named = {module: set(NAMED.findall(USE.sub("", t))) for module, t in text.items()}
        self.edges = {module: self.imports(module) - {module} for module in self.files}

    def resolve(self, module, path, seen=()):
        """The module that defines what `path` names in `module`, or None if it is another crate's."""
        at, rest = module, list(path)
        if rest[0] == "crate":
            at, rest = (), rest[1:]
        elif rest[0] in ("self", "super"):
            while rest and rest[0] in ("self", "super"):
                at, rest = (at[:-1] if rest[0] == "super" else at), rest[1:]
        elif at + (rest[0],) not in self.files and (at, rest[0]) not in self.names:
            return None
        while rest and at + (rest[0],) in self.files:
            at, rest = at + (rest[0],), rest[1:]
        known = self.names.get((at, rest[0])) if rest else None
        if known and (at, rest[0]) not in seen and known != tuple(path):
            return self.resolve(at, tuple(known) + tuple(rest[1:]), (*seen, (at, rest[0])))
        return at

    def imports(self, module):
        found = set()
        for public, path, _ in self.uses[module]:
            target = self.resolve(module, path)
            if target is not None and not (public and target[: len(module)] == module):
                found.add(target)
        for path in self.named[module]:
            path = tuple(path.split("::"))
            # an imported name has been counted where it is imported
            if path[0] in ("crate", "self", "super") or module + (path[0],) in self.files:
                found.add(self.resolve(module, path))
        return found & set(self.files)

    def circles(self):
        reach = {}
        for module in self.files:
            reached, ahead = set(), [module]
            while ahead:
                new = self.edges[ahead.pop()] - reached
                reached |= new
                ahead += new
            reach[module] = reached
        groups = {frozenset(o for o in reach[m] if m in reach[o]) for m in self.files if m in reach[m]}
        return sorted(sorted(group) for group in groups)


def main(args):
    lines = "--lines" in args
    wanted = [a for a in args if a != "--lines"]
    manifests = sorted(p for d in ("hdl", "host", "sim", "xtask") for p in (ROOT / d).rglob("Cargo.toml"))
    total = new = 0
    for manifest in manifests:
        folder = manifest.parent.relative_to(ROOT)
        if wanted and str(folder) not in wanted:
            continue
        crate = Crate(manifest.parent)
        for circle in crate.circles():
            total, new = total + 1, new + (str(folder) not in OLD)
            print(f"{folder}: circle of {len(circle)} modules")
            for module in circle:
                inside = ", ".join("::".join(m) or "(root)" for m in sorted(crate.edges[module] & set(circle)))
                print(f"    {'::'.join(module) or '(root)'} -> {inside}")
        if lines:
            sizes = {}
            for path in crate.files.values():
                sizes.setdefault(path.parent.relative_to(ROOT), []).append(len(path.read_text().splitlines()))
            for place, all in sorted(sizes.items()):
                print(f"{place}: {sum(all)} lines in {len(all)} files, at most {max(all)}")
    print(f"{total} import circles, {new} of them new")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
