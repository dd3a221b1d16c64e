"""What a document may say: fields, limits, parsing, validation, CRDs and reference. Pure."""
