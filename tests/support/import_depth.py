"""Print the files, the folders and the depth of imports of each package.

Run: python tests/support/import_depth.py [FOLDER]   (the folder that holds the packages)

The depth of a package is the number of modules on the longest chain of imports inside it. The depth
by folder counts folders in place of modules; a package's top-level modules stand for themselves.
Imports for types alone are never loaded and do not count.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import grimp

PACKAGES = ("ratings", "generator", "arena")
ROW = "{:<10}{:>7}{:>9}{:>14}{:>8}{:>18}\n"


class Imports:
    """Which modules and folders of one package import each other."""

    def __init__(self, root: Path, package: str) -> None:
        self.root = root
        self.graph = grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)

    def modules(self, module: str) -> set[str]:
        """The modules that a module imports."""
        return self.graph.find_modules_directly_imported_by(module) - {module}

    def folder_of(self, module: str) -> str:
        """The package that a module lies in, or the module where it lies at the top level."""
        path = self.root / module.replace(".", "/")
        at_top = path.is_dir() or module.count(".") < 2
        return module if at_top else module.rpartition(".")[0]

    def folders(self, folder: str) -> set[str]:
        """The folders that the modules of a folder import from."""
        inside = [each for each in self.graph.modules if self.folder_of(each) == folder]
        imported = {self.folder_of(other) for each in inside for other in self.modules(each)}
        return imported - {folder}


def longest_chain(nodes: Iterable[str], imports: Callable[[str], Iterable[str]]) -> int | None:
    """The number of nodes on the longest chain of imports; None if the imports form a circle."""
    unfinished: set[str] = set()

    @cache
    def depth(node: str) -> int:
        if node in unfinished:
            raise RecursionError(node)
        unfinished.add(node)
        deepest = 1 + max((depth(each) for each in imports(node)), default=0)
        unfinished.discard(node)
        return deepest

    try:
        return max(depth(node) for node in nodes)
    except RecursionError:
        return None


def main() -> None:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    sys.path.insert(0, str(root))
    write = sys.stdout.write
    write(ROW.format("package", "files", "folders", "most in one", "depth", "depth by folder"))
    for package in PACKAGES:
        files = [path for path in (root / package).rglob("*.py") if path.stat().st_size]
        by_folder = Counter(path.parent for path in files)
        imports = Imports(root, package)
        modules = imports.graph.modules
        folders = {imports.folder_of(module) for module in modules}
        depth = longest_chain(modules, imports.modules) or "circle"
        by_folders = longest_chain(folders, imports.folders) or "circle"
        most = max(by_folder.values())
        write(ROW.format(package, len(files), len(by_folder), most, depth, by_folders))


if __name__ == "__main__":
    main()
