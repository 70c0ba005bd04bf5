"""The messages of the Draw Things service, as protobuf classes of our own.

Their descriptors live in a private pool: other packs in the same process register the same
names in protobuf's default pool, and neither may see the other. Each message of the schema is a
class here, each value of its enumerations a number; `schema.pyi` tells type checkers which.
"""

from __future__ import annotations

from importlib import resources as _resources

from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf import descriptor_pool as _descriptor_pool
from google.protobuf import message_factory as _message_factory

DESCRIPTORS = _descriptor_pb2.FileDescriptorSet.FromString(
    _resources.files(__package__).joinpath("schema.binpb").read_bytes()
)
_pool = _descriptor_pool.DescriptorPool()
for _file in DESCRIPTORS.file:
    _pool.AddSerializedFile(_file.SerializeToString())
    for _message in _file.message_type:
        globals()[_message.name] = _message_factory.GetMessageClass(
            _pool.FindMessageTypeByName(_message.name)
        )
    for _enum in _file.enum_type:
        globals().update({_value.name: _value.number for _value in _enum.value})
