internal import Crypto
internal import Foundation

extension Checkpoint {
    /// SHA-256 of what must be equal on every host: the meaning of config.json, each tensor's name, dtype and shape,
    /// and the final norm's values, which tell apart two trainings of one architecture. Maps every shard; reads no
    /// other weights.
    package var fingerprint: [UInt8] {
        get throws(CheckpointError) {
            var hash = SHA256()
            hash.update(data: Data(String(describing: config).utf8))
            for (name, _, record) in try allRecords() {
                hash.update(data: Data("\n\(name)\t\(record.dtype)\t\(record.shape)".utf8))
            }
            for value in try vector(TensorName.finalNorm, count: config.hiddenSize) {
                withUnsafeBytes(of: value.bitPattern.littleEndian) { hash.update(bufferPointer: $0) }
            }
            return Array(hash.finalize())
        }
    }
}
