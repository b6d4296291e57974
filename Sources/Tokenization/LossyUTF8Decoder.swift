/// Turns bytes that arrive in pieces into text, one U+FFFD for each maximal part of a bad sequence (Unicode 3.9,
/// practice of the WHATWG decoder). An incomplete sequence at the end, at most three bytes, waits for the bytes to
/// come.
struct LossyUTF8Decoder: Sendable {
    private var pending: [UInt8] = []
    private var missingByteCount = 0
    /// What the next continuation byte may be; tighter than 80...BF after E0, ED, F0 and F4.
    private var continuation: ClosedRange<UInt8> = 0x80...0xBF

    private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    /// The text that `bytes` complete.
    mutating func append(_ bytes: some Collection<UInt8>) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + pending.count)
        for byte in bytes { append(byte, to: &output) }
        return String(decoding: output, as: UTF8.self)
    }

    /// The end of the bytes: an incomplete sequence becomes one U+FFFD.
    mutating func finish() -> String {
        var output: [UInt8] = []
        replacePending(in: &output)
        return String(decoding: output, as: UTF8.self)
    }

    private mutating func append(_ byte: UInt8, to output: inout [UInt8]) {
        guard missingByteCount > 0 else { return start(byte, in: &output) }
        guard continuation.contains(byte) else {
            replacePending(in: &output)
            return start(byte, in: &output)
        }
        pending.append(byte)
        missingByteCount -= 1
        continuation = 0x80...0xBF
        if missingByteCount == 0 {
            output += pending
            pending.removeAll(keepingCapacity: true)
        }
    }

    private mutating func start(_ byte: UInt8, in output: inout [UInt8]) {
        continuation = 0x80...0xBF
        switch byte {
        case 0x00...0x7F:
            output.append(byte)
            return
        case 0xC2...0xDF: missingByteCount = 1
        case 0xE0: (missingByteCount, continuation) = (2, 0xA0...0xBF)
        case 0xED: (missingByteCount, continuation) = (2, 0x80...0x9F)
        case 0xE1...0xEF: missingByteCount = 2
        case 0xF0: (missingByteCount, continuation) = (3, 0x90...0xBF)
        case 0xF1...0xF3: missingByteCount = 3
        case 0xF4: (missingByteCount, continuation) = (3, 0x80...0x8F)
        default:
            output += Self.replacement
            return
        }
        pending.append(byte)
    }

    private mutating func replacePending(in output: inout [UInt8]) {
        guard !pending.isEmpty else { return }
        output += Self.replacement
        pending.removeAll(keepingCapacity: true)
        missingByteCount = 0
    }
}
