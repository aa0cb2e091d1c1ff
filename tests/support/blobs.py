"""Outputs that are data at an address."""

from __future__ import annotations

from airflow_provider_flyte.client.idl.core import literals_pb2, types_pb2


def blob(uri: str, *, parts: bool = False) -> literals_pb2.Literal:
    """A file, or a directory."""
    many = types_pb2.BlobType.MULTIPART if parts else types_pb2.BlobType.SINGLE
    kind = types_pb2.BlobType(dimensionality=many)
    metadata = literals_pb2.BlobMetadata(type=kind)
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(blob=literals_pb2.Blob(uri=uri, metadata=metadata)))


def data_frame(uri: str) -> literals_pb2.Literal:
    """A data frame."""
    found = literals_pb2.StructuredDataset(uri=uri)
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(structured_dataset=found))


FILE = types_pb2.LiteralType(blob=types_pb2.BlobType())
DATA_FRAME = types_pb2.LiteralType(structured_dataset_type=types_pb2.StructuredDatasetType())
