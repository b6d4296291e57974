/// The header of a safetensors file: eight bytes of length, little-endian, then JSON of that length. The tensors must
/// fill the rest of the file without gap or overlap.
struct SafetensorsHeader {
    /// The published limit of the format.
    static let maximumByteSize = 100_000_000
    /// Most sides of a tensor: a list in a hostile header must not grow without bound.
    private static let maximumRank = 16
    private static let prefixByteSize = 8

    let tensors: [String: TensorRecord]

    /// Reads the header and nothing else of the file.
    init(_ input: InputFile) throws(CheckpointError) {
        let dataOffset = try Self.dataOffset(input)
        let json = try input.read(Self.prefixByteSize..<dataOffset)
        var parser = Parser(file: input.path, dataOffset: dataOffset, dataByteCount: input.byteSize - dataOffset)
        try parser.parse(json)
        try parser.checkCoverage()
        tensors = parser.tensors
    }

    private static func dataOffset(_ input: InputFile) throws(CheckpointError) -> Int {
        guard input.byteSize >= prefixByteSize else {
            throw malformed(
                input,
                input.byteSize == 0
                    ? "is empty" : "has \(input.byteSize) bytes, too few for a safetensors header")
        }
        let prefix = try input.read(0..<prefixByteSize)
        let length = prefix.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        guard length <= UInt64(maximumByteSize) else {
            throw malformed(
                input, "says that its header has \(length) bytes, more than the limit of \(maximumByteSize)")
        }
        let rest = input.byteSize - prefixByteSize
        guard Int(length) <= rest else {
            throw malformed(input, "says that its header has \(length) bytes, but only \(rest) follow")
        }
        return prefixByteSize + Int(length)
    }

    private static func malformed(_ input: InputFile, _ problem: String) -> CheckpointError {
        CheckpointError(
            .malformed, file: input.path, problem: problem,
            remedy: "fetch the file again: it is cut off or no safetensors file")
    }
}

extension SafetensorsHeader {
    private struct Parser {
        let file: String
        let dataOffset: Int
        let dataByteCount: Int
        var tensors: [String: TensorRecord] = [:]

        mutating func parse(_ json: [UInt8]) throws(CheckpointError) {
            tensors = try JSONReader.withReader(of: json, file: file) { (reader) throws(CheckpointError) in
                let tensors = try readTensors(&reader)
                try reader.finish()
                return tensors
            }
        }

        private func readTensors(_ reader: inout JSONReader) throws(CheckpointError) -> [String: TensorRecord] {
            var found: [String: TensorRecord] = [:]
            var hasMetadata = false
            try reader.readObject { (reader, name) throws(CheckpointError) in
                if name == "__metadata__" {
                    guard !hasMetadata else { throw error(name, "stands twice in the header") }
                    hasMetadata = true
                    try reader.readObject { (reader, _) throws(CheckpointError) in _ = try reader.readString() }
                } else {
                    let record = try readRecord(&reader, name)
                    guard found.updateValue(record, forKey: name) == nil else {
                        throw error(name, "stands twice in the header")
                    }
                }
            }
            return found
        }

        /// Tensors in the order of their bytes must follow each other and end with the file.
        func checkCoverage() throws(CheckpointError) {
            let ordered = tensors.sorted {
                ($0.value.byteOffset, $0.value.byteCount, $0.key) < ($1.value.byteOffset, $1.value.byteCount, $1.key)
            }
            var end = dataOffset
            var before = "the header"
            for (name, record) in ordered {
                if record.byteOffset < end { throw error(name, "overlaps \(before)") }
                if record.byteOffset > end {
                    throw error(name, "leaves a gap of \(record.byteOffset - end) bytes after \(before)")
                }
                end = record.byteOffset + record.byteCount
                before = name
            }
            let rest = dataOffset + dataByteCount - end
            if rest > 0 {
                throw CheckpointError(
                    .malformed, file: file, problem: "has \(rest) bytes after its last tensor",
                    remedy: "fetch the file again")
            }
        }

        private func readRecord(_ reader: inout JSONReader, _ name: String) throws(CheckpointError) -> TensorRecord {
            var dtype: TensorDType?
            var shape: [Int]?
            var offsets: [Int]?
            try reader.readObject { (reader, key) throws(CheckpointError) in
                switch key {
                case "dtype" where dtype == nil: dtype = TensorDType(name: try reader.readString())
                case "shape" where shape == nil: shape = try counts(&reader, name)
                case "data_offsets" where offsets == nil: offsets = try counts(&reader, name)
                case "dtype", "shape", "data_offsets": throw error(name, "\(key) stands twice in the header")
                default: try reader.skipValue()
                }
            }
            guard let dtype else { throw error(name, "has no dtype in the header") }
            guard let shape else { throw error(name, "has no shape in the header") }
            guard let offsets else { throw error(name, "has no data_offsets in the header") }
            return try record(name, dtype, shape, offsets)
        }

        private func counts(_ reader: inout JSONReader, _ name: String) throws(CheckpointError) -> [Int] {
            var result: [Int] = []
            try reader.readArray { (reader) throws(CheckpointError) in
                guard result.count < SafetensorsHeader.maximumRank else {
                    throw error(name, "has more than \(SafetensorsHeader.maximumRank) dimensions")
                }
                result.append(try reader.readCount())
            }
            return result
        }

        private func record(
            _ name: String, _ dtype: TensorDType, _ shape: [Int], _ offsets: [Int]
        ) throws(CheckpointError) -> TensorRecord {
            guard offsets.count == 2, offsets[0] <= offsets[1] else {
                throw error(name, "data_offsets are \(offsets), expected [first byte, byte after the last]")
            }
            guard offsets[1] <= dataByteCount else {
                throw error(name, "ends at byte \(offsets[1]) of the data, but the file has only \(dataByteCount)")
            }
            let byteCount = offsets[1] - offsets[0]
            if let elementByteSize = dtype.byteSize {
                guard Self.product(shape, elementByteSize) == byteCount else {
                    throw error(name, "has shape \(shape) of \(dtype), but \(byteCount) bytes")
                }
            } else {
                // No number takes less than a bit: sums over the tensors of a file stay within 63 bits.
                guard let count = Self.product(shape, 1), count <= byteCount * 8 else {
                    throw error(name, "has shape \(shape), which is too large for \(byteCount) bytes")
                }
            }
            return TensorRecord(
                dtype: dtype, shape: shape, byteOffset: dataOffset + offsets[0], byteCount: byteCount)
        }

        /// nil if the product does not fit 63 bits.
        private static func product(_ shape: [Int], _ elementByteSize: Int) -> Int? {
            // The order of elementCount's product, which therefore cannot overflow either.
            var result = elementByteSize
            for side in shape {
                let (product, overflow) = result.multipliedReportingOverflow(by: side)
                if overflow { return nil }
                result = product
            }
            return result
        }

        private func error(_ name: String, _ problem: String) -> CheckpointError {
            CheckpointError(.malformed, file: file, item: name, problem: problem, remedy: "fetch the file again")
        }
    }
}
