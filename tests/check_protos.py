#!/usr/bin/env python3
"""Holds the trimmed protos of lib/xds/proto against the originals: every message, field and enum value that is
declared there must be one of the original's, with its number and a type of the same form on the wire.

    check_protos.py            compares with check_protos.txt, what the originals say
    check_protos.py --update   writes that file; needs the package xds-protos of PyPI, which has the originals
"""
import importlib
import pathlib
import pkgutil
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).resolve().parent.parent / "lib" / "xds" / "proto"
REFERENCE = pathlib.Path(__file__).resolve().with_name("check_protos.txt")
# Not Envoy's: our own, and one file of Istio's, which no package has.
OWN = ("remora.", "istio.")
FIELD = descriptor_pb2.FieldDescriptorProto


def field_line(message, field):
    """What decides about the bytes. Messages and enums by their name, so that what is inside is compared too."""
    kind = field.type_name.lstrip(".") or FIELD.Type.Name(field.type)[len("TYPE_"):].lower()
    repeated = "repeated " if field.label == FIELD.LABEL_REPEATED else ""
    return f"{message}.{field.name}", f"{field.number} {repeated}{kind}"


def enum_lines(name, enum):
    for value in enum.value:
        yield f"{name}.{value.name}", f"= {value.number}"


def message_lines(name, message):
    yield name, "message"
    for field in message.field:
        yield field_line(name, field)
    for enum in message.enum_type:
        yield from enum_lines(f"{name}.{enum.name}", enum)
    for nested in message.nested_type:
        yield from message_lines(f"{name}.{nested.name}", nested)


def file_lines(file):
    """All declarations of a file: ("envoy.config.core.v3.Node.id", "1 string")."""
    if file.syntax != "proto3":
        yield file.name, "is not proto3, so repeated numbers have another form"
    for message in file.message_type:
        yield from message_lines(f"{file.package}.{message.name}", message)
    for enum in file.enum_type:
        yield from enum_lines(f"{file.package}.{enum.name}", enum)
    for service in file.service:
        for method in service.method:
            streams = f"{'stream ' * method.client_streaming}{method.input_type} -> "
            yield (f"{file.package}.{service.name}.{method.name}",
                   f"{streams}{'stream ' * method.server_streaming}{method.output_type}")


def ours():
    with tempfile.NamedTemporaryFile() as out:
        sources = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.proto"))
        subprocess.run(["protoc", f"-I{ROOT}", f"--descriptor_set_out={out.name}", *sources], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())
    lines = [line for file in files.file for line in file_lines(file) if not file.package.startswith(OWN)]
    assert len(lines) > 500, "the protos were not found"
    return dict(lines)


def originals():
    """The declarations of every module that xds-protos and protobuf have."""
    lines = {}
    for package in ("envoy", "google"):
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not found.name.endswith("_pb2"):
                continue
            file = descriptor_pb2.FileDescriptorProto()
            importlib.import_module(found.name).DESCRIPTOR.CopyToProto(file)
            lines.update(file_lines(file))
    return lines


def update():
    known = originals()
    names = sorted(name for name in ours() if name in known)
    REFERENCE.write_text("".join(f"{name} {known[name]}\n" for name in names), encoding="utf-8")
    print(f"check_protos: {len(names)} declarations of the originals written")


def main():
    if sys.argv[1:] == ["--update"]:
        update()
    elif sys.argv[1:]:
        sys.exit(__doc__)
    known = dict(line.split(" ", 1) for line in REFERENCE.read_text(encoding="utf-8").splitlines())
    declared = ours()
    wrong = [f"{name} {text}: the original says {known.get(name, 'nothing of it')}"
             for name, text in declared.items() if known.get(name) != text]
    for line in wrong:
        print(line)
    print(f"check_protos: {len(wrong)} differences in {len(declared)} declarations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
