"""Keep trained models: a folder for each version, plain formats, every byte hashed, every step written down.

    models/filter/1.0.0/   model.npz  xgboost.ubj  card.md  manifest.json  report.json
    models/filter/states.jsonl

How it moves: `save` writes a version once and never again; `move` appends candidate → shadow → champion →
retired to the list of steps, with the hash of the manifest it is about. `load` checks every hash before a
number is used. Nothing here can run code: arrays, JSON and XGBoost's own UBJ.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mia_kernel.adapters.store import write_flushed
from mia_kernel.core.decisions import FeatureVector, Opinion, Score, Signal
from mia_kernel.core.errors import CorruptError, InputError, OutsideError
from mia_kernel.features.spec import Given
from mia_kernel.ml.ensemble import Ensemble, Filter
from mia_kernel.ml.inputs import Inputs, Schema, schema_of
from mia_kernel.ml.params import MlParams
from mia_kernel.ml.trees import Heaps

State = Literal["candidate", "shadow", "champion", "retired"]
NEXT: Mapping[str, tuple[str, ...]] = {
    "candidate": ("shadow", "retired"),
    "shadow": ("champion", "retired"),
    "champion": ("retired",),
    "retired": (),
}
MODEL, MANIFEST, CARD, STEPS = "model.npz", "manifest.json", "card.md", "states.jsonl"
FORMAT = "mia-model-1"


def models_folder(home: Path) -> Path:
    """Return where trained models lie below MIA_HOME, a folder for each name."""
    return home / "data" / "models"


@dataclass(frozen=True, slots=True)
class Step:
    """One move of one version."""

    version: str
    state: State
    at_ns: int
    reason: str
    manifest_sha256: str


class ModelRegistry:
    """The versions of one model.

    Parameters
    ----------
    folder : Path
        `MIA_HOME/data/models/<name>`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.folder.name

    # -- what is there -----------------------------------------------------------------------------

    def steps(self) -> list[Step]:
        """Return every move, oldest first."""
        path = self.folder / STEPS
        if not path.is_file():
            return []
        try:
            return [Step(**json.loads(line)) for line in path.read_text("utf-8").splitlines() if line]
        except (json.JSONDecodeError, TypeError, UnicodeDecodeError) as error:
            raise CorruptError(f"{path}: {error}; way out: restore a backup of the list of steps") from error

    def states(self) -> dict[str, State]:
        """Return the present state of every version, oldest first."""
        return {step.version: step.state for step in self.steps()}

    def in_state(self, state: State) -> str | None:
        """Return the version that came into a state last and is still in it, None without one."""
        found = [version for version, now in self.states().items() if now == state]
        order = [step.version for step in self.steps()]
        return max(found, key=lambda version: len(order) - order[::-1].index(version)) if found else None

    def next_version(self) -> str:
        """Return the number the next version gets; one whose writing was cut off is not used again."""
        lying = [path.name for path in self.folder.glob("1.*.0")] if self.folder.is_dir() else []
        used = [int(name.split(".")[1]) for name in (*self.states(), *lying) if name.split(".")[1].isdigit()]
        return f"1.{max(used, default=-1) + 1}.0"

    def manifest(self, version: str) -> dict[str, Any]:
        """Return what is known of a version.

        Raises
        ------
        InputError
            If there is no such version.
        CorruptError
            If it is not the manifest that was written.
        """
        steps = [step for step in self.steps() if step.version == version]
        if not steps:
            known = ", ".join(self.states()) or "none yet"
            raise InputError("no such model", field="model", value=version, rule=known, way_out="mia train")
        data = self._bytes(self.folder / version / MANIFEST)
        if hashlib.sha256(data).hexdigest() != steps[-1].manifest_sha256:
            raise CorruptError(f"{self.folder / version / MANIFEST}: its bytes do not match their hash")
        return json.loads(data)

    def read(self, version: str, name: str) -> bytes:
        """Return one file of a version, its hash checked.

        Raises
        ------
        CorruptError
            If it is not what was written.
        """
        data = self._bytes(self.folder / version / name)
        if hashlib.sha256(data).hexdigest() != self.manifest(version)["sha256"].get(name):
            raise CorruptError(
                f"{self.folder / version / name}: its bytes do not match their hash; way out: retire it, train anew"
            )
        return data

    def load(self, version: str) -> Ensemble:
        """Return a version ready to serve.

        Raises
        ------
        CorruptError
            If a byte is not what was written, or the format is another.
        """
        manifest = self.manifest(version)
        if manifest["format"] != FORMAT:
            raise CorruptError(
                f"{self.folder / version}: format {manifest['format']!r}, this reads {FORMAT!r}"
            )
        data = self.read(version, MODEL)
        return unpacked(data, manifest, model_id=self.model_id(version))

    def model_id(self, version: str) -> str:
        """Return the name a decision remembers a version by: name, version and the hash of its numbers."""
        return f"{self.name}-{version}-{self.manifest(version)['sha256'][MODEL][:12]}"

    # -- what is written ---------------------------------------------------------------------------

    def save(
        self,
        version: str,
        ensemble: Ensemble,
        files: Mapping[str, bytes],
        facts: Mapping[str, Any],
        *,
        at_ns: int,
    ) -> Path:
        """Write a version as a candidate; a version is written once.

        Parameters
        ----------
        files : mapping
            Further files (card, report, the libraries' own formats), by name.
        facts : mapping
            What goes into the manifest beside hashes and schema.
        """
        folder = self.folder / version
        content = {MODEL: packed(ensemble), **files}
        manifest = {
            **facts,
            "format": FORMAT,
            "version": version,
            "schema_sha256": ensemble.schema.hash,
            "groups": list(ensemble.schema.groups),
            "names": list(ensemble.schema.names),
            "valid_from": ensemble.valid_from,
            "trained_at": ensemble.trained_at,
            "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in content.items()},
        }
        text = json.dumps(manifest, indent=1, sort_keys=True, default=str).encode()
        self._publish(folder, {**content, MANIFEST: text})
        self._append(Step(version, "candidate", at_ns, "trained", hashlib.sha256(text).hexdigest()))
        return folder

    def _publish(self, folder: Path, files: Mapping[str, bytes]) -> None:
        """Write files beside their place and move them there whole: a killed training leaves no half version."""
        staging = self.folder / f".{folder.name}-{os.getpid()}"
        try:
            if folder.exists():
                raise InputError(
                    "a version is written once", path=str(folder), way_out="take the next number"
                )
            staging.mkdir(parents=True)
            for name, data in files.items():
                write_flushed(staging / name, data)
            staging.rename(folder)
        except OSError as error:
            raise OutsideError(f"{folder}: {error.strerror or error}; way out: make room there") from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def move(self, version: str, state: State, reason: str, *, at_ns: int) -> None:
        """Append a step; a new champion retires the one before it.

        Raises
        ------
        InputError
            If that step is not allowed from where the version stands.
        """
        now = self.states().get(version)
        manifest = json.dumps(self.manifest(version), indent=1, sort_keys=True, default=str).encode()
        if now is None or state not in NEXT[now]:
            rule = f"from {now}: {', '.join(NEXT[now or 'retired']) or 'nowhere'}"
            raise InputError("no such step", field="state", value=f"{version} → {state}", rule=rule)
        before = self.in_state("champion") if state == "champion" else None
        self._append(Step(version, state, at_ns, reason, hashlib.sha256(manifest).hexdigest()))
        if before is not None:
            held = json.dumps(self.manifest(before), indent=1, sort_keys=True, default=str).encode()
            digest = hashlib.sha256(held).hexdigest()
            self._append(Step(before, "retired", at_ns, f"replaced by {version}", digest))

    def _append(self, step: Step) -> None:
        row = {name: getattr(step, name) for name in Step.__dataclass_fields__}
        self.append_line(STEPS, json.dumps(row))

    def append_line(self, name: str, line: str) -> None:
        """Append one line to a list of the model and see it on the disk.

        Raises
        ------
        OutsideError
            If the disk refuses.
        """
        try:
            with (self.folder / name).open("a", encoding="utf-8") as out:
                out.write(line + "\n")
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise OutsideError(f"{self.folder / name}: {error.strerror or error}") from error

    def _bytes(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise CorruptError(f"{path}: {error.strerror or error}; way out: restore a backup") from error


def packed(ensemble: Ensemble) -> bytes:
    """Return the numbers of an ensemble as an npz archive."""
    arrays: dict[str, Any] = {
        "line": ensemble.line,
        "intercept": np.array([ensemble.intercept]),
        "bend_x": ensemble.bend_x,
        "bend_y": ensemble.bend_y,
        "boosted_base": np.array([ensemble.boosted_base]),
    }
    for prefix, heaps in (("forest", ensemble.forest), ("boosted", ensemble.boosted)):
        arrays[f"{prefix}_feature"], arrays[f"{prefix}_threshold"] = heaps.feature, heaps.threshold
        arrays[f"{prefix}_leaf"], arrays[f"{prefix}_shape"] = heaps.leaf, np.array([heaps.depth, heaps.count])
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def unpacked(data: bytes, manifest: Mapping[str, Any], *, model_id: str) -> Ensemble:
    """Return the ensemble of `packed`; the manifest holds schema and validity."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as a:
            heaps = [
                Heaps(a[f"{p}_feature"], a[f"{p}_threshold"], a[f"{p}_leaf"], *map(int, a[f"{p}_shape"]))
                for p in ("forest", "boosted")
            ]
            return Ensemble(
                model_id=model_id,
                schema=Schema(tuple(manifest["groups"]), tuple(manifest["names"])),
                forest=heaps[0],
                boosted=heaps[1],
                boosted_base=float(a["boosted_base"][0]),
                line=a["line"],
                intercept=float(a["intercept"][0]),
                bend_x=a["bend_x"],
                bend_y=a["bend_y"],
                valid_from=int(manifest["valid_from"]),
                trained_at=int(manifest["trained_at"]),
            )
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CorruptError(f"a model archive does not read: {error}") from error


class Shadow:
    """A model on probation: its probability is written down, its score counts for nothing."""

    def __init__(self, inner: Filter) -> None:
        self.inner = inner
        self.model_id = inner.model_id

    def opinion(self, market: Any, vector: FeatureVector, score: Score, signal: Signal, ts: int) -> Opinion:
        """Return the opinion without a score."""
        said = self.inner.opinion(market, vector, score, signal, ts)
        if said.probability is None:
            return said
        return Opinion(said.model_id, said.probability, None, said.agreement, "shadow")


def serving(models: Path, params: MlParams, mode: str, given: Given) -> Filter | Shadow | None:
    """Return who judges signals: the champion, else the newest model on probation, else nobody.

    A model that cannot be used (damaged, made for other features) is returned without an opinion and says why:
    under `require` it blocks, and nobody has to wonder.

    Parameters
    ----------
    models : Path
        `MIA_HOME/data/models`.
    mode : str
        `ml_mode`; `off` asks nobody.
    """
    registry = ModelRegistry(models / params.model)
    if mode == "off" or not (registry.folder / STEPS).is_file():
        return None
    version = registry.in_state("champion")
    probation = registry.in_state("shadow") if version is None else None
    if version is None and probation is None:
        return None
    try:
        ensemble = registry.load(version or probation or "")
        if schema_of(ensemble.schema.groups).hash != ensemble.schema.hash:
            return Filter(None, Inputs(schema_of(), given), params, why="schema")
    except CorruptError:
        return Filter(None, Inputs(schema_of(), given), params, why="damaged")
    judge = Filter(ensemble, Inputs(ensemble.schema, given), params)
    return judge if version is not None else Shadow(judge)
