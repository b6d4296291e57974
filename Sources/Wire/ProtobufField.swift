internal import CWire
internal import Foundation

/// Copies of a decoded message's fields, held against their limits.
enum ProtobufField {
    static func text(
        _ text: UnsafePointer<CChar>?, field: String, limit: Int
    ) throws(ControlError) -> String {
        guard let text else { return "" }
        let count = strlen(text)
        guard count <= limit else { throw .tooLong(field: field, count: count, limit: limit) }
        guard let value = String(validatingCString: text) else { throw .notUTF8(field: field) }
        return value
    }

    static func bytes(
        _ data: ProtobufCBinaryData, field: String, limit: Int
    ) throws(ControlError) -> [UInt8] {
        guard data.len <= limit else { throw .tooLong(field: field, count: data.len, limit: limit) }
        return Array(UnsafeBufferPointer(start: data.data, count: data.len))
    }

    static func bytes(
        _ data: ProtobufCBinaryData, field: String, exactly expected: Int
    ) throws(ControlError) -> [UInt8] {
        guard data.len == expected else {
            throw .wrongLength(field: field, count: data.len, expected: expected)
        }
        return Array(UnsafeBufferPointer(start: data.data, count: data.len))
    }

    /// A count that fits an Int.
    static func count(_ value: UInt64, field: String) throws(ControlError) -> Int {
        guard let count = Int(exactly: value) else { throw .outOfRange(field: field, value: value) }
        return count
    }

    /// 0 for none.
    static func port(_ value: UInt32, field: String) throws(ControlError) -> Int {
        guard let port = UInt16(exactly: value) else { throw .outOfRange(field: field, value: UInt64(value)) }
        return Int(port)
    }

    /// A count that is held against a range.
    static func count(
        _ value: UInt32, in range: ClosedRange<Int>, field: String
    ) throws(ControlError) -> Int {
        guard range.contains(Int(value)) else { throw .outOfRange(field: field, value: UInt64(value)) }
        return Int(value)
    }
}
