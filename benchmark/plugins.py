"""Plug-ins are files: a room is a folder of modules, a shelf a folder of TOML files; neither has a list to edit."""

import ast
import importlib
import importlib.util
import pkgutil
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import ModuleType

from benchmark.errors import UserError, nearest


@dataclass(frozen=True)
class Room:
    """A package whose modules are plug-ins; a file's name is the plug-in's name."""

    package: str
    what: str
    offers: tuple[str, ...] = ()  # what a module must have to be such a plug-in

    def names(self) -> list[str]:
        """List the plug-ins, sorted; none of them is imported."""
        found = pkgutil.iter_modules(importlib.import_module(self.package).__path__)
        return sorted(module.name for module in found if not module.name.startswith("_"))

    def about(self, name: str) -> str:
        """Give the first line of a plug-in's docstring; it is not imported."""
        found = importlib.util.find_spec(f"{self.package}.{name}")
        text = Path(found.origin).read_text() if found and found.origin else ""
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]

    def load(self, name: str) -> ModuleType:
        """Import one plug-in; a dotted path names a module of one's own."""
        if name in self.names():
            return self._checked(name, importlib.import_module(f"{self.package}.{name}"))
        if "." not in name or not all(part.isidentifier() for part in name.split(".")):
            raise UserError(
                f"no {self.what} is called {name!r}; {nearest(name, self.names())}; one of your own is named by its "
                "dotted path, such as lab.mystreet"
            )
        try:
            return self._checked(name, importlib.import_module(name))
        except ModuleNotFoundError as error:
            # A module that exists but lacks something of its own is its author's fault, and wants its traceback.
            if error.name and (name + ".").startswith(error.name + "."):
                raise UserError(
                    f"no module is called {name!r} (a {self.what} given as a dotted path is looked for in this folder "
                    "and on PYTHONPATH)"
                ) from None
            raise

    def _checked(self, name: str, module: ModuleType) -> ModuleType:
        missing = [part for part in self.offers if not hasattr(module, part)]
        if missing:
            raise UserError(f"{name}: is no {self.what}: it has no {', '.join(missing)}")
        return module


@dataclass(frozen=True)
class Shelf:
    """A package whose TOML files are plug-ins."""

    package: str
    what: str

    def names(self) -> list[str]:
        """List the files without their ending, sorted."""
        return sorted(path.stem for path in self._folder().glob("*.toml"))

    def about(self, name: str) -> str:
        """Give what a file says of itself under its key `about`."""
        return str(tomllib.loads(self.path(name).read_text()).get("about", ""))

    def path(self, name: str) -> Path:
        """Find one file; a path to a TOML file of one's own works as well."""
        if name in self.names():
            return self._folder() / f"{name}.toml"
        if name.endswith(".toml"):
            return Path(name)
        raise UserError(f"no {self.what} is called {name!r}; {nearest(name, self.names())}")

    def _folder(self) -> Path:
        return Path(str(resources.files(self.package)))
