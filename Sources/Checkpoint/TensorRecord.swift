/// What a safetensors header says of one tensor, checked against the file.
package struct TensorRecord: Equatable, Sendable {
    package let dtype: TensorDType
    package let shape: [Int]
    /// First byte in the file.
    package let byteOffset: Int
    package let byteCount: Int

    package var elementCount: Int { shape.reduce(1, *) }
}
