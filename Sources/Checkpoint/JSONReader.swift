/// Reads JSON from memory that may hold anything: pull-style, so that a header of a hundred thousand tensors becomes
/// records without a tree in between. Every error names the file and the byte.
package struct JSONReader {
    /// Deepest nesting of lists and objects; published files stay below 8.
    package static let maximumDepth = 64

    private let bytes: UnsafeBufferPointer<UInt8>
    private let file: String
    private var position = 0
    private var depth = 0

    /// The bytes must outlive the reader.
    package init(_ bytes: UnsafeRawBufferPointer, file: String) {
        self.bytes = bytes.bindMemory(to: UInt8.self)
        self.file = file
    }

    /// The one value that the bytes hold, with nothing but white space after it.
    static func value(of bytes: [UInt8], file: String) throws(CheckpointError) -> JSONValue {
        try withReader(of: bytes, file: file) { (reader: inout JSONReader) throws(CheckpointError) in
            let value = try reader.readValue()
            try reader.finish()
            return value
        }
    }

    static func withReader<Result>(
        of bytes: [UInt8], file: String, _ body: (inout JSONReader) throws(CheckpointError) -> Result
    ) throws(CheckpointError) -> Result {
        try bytes.withUnsafeBufferPointer { (buffer: UnsafeBufferPointer<UInt8>) throws(CheckpointError) in
            var reader = JSONReader(UnsafeRawBufferPointer(buffer), file: file)
            return try body(&reader)
        }
    }

    func failure(_ problem: String) -> CheckpointError {
        CheckpointError(
            .malformed, file: file, problem: "not valid JSON at byte \(position): \(problem)",
            remedy: "fetch the file again")
    }

    /// Calls `member` for each name with the reader standing before the value, which `member` must read.
    mutating func readObject(
        _ member: (inout JSONReader, String) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        try open(UInt8(ascii: "{"), "an object")
        if !skip(UInt8(ascii: "}")) {
            repeat {
                let name = try readString()
                try expect(UInt8(ascii: ":"), "':' after a name")
                try member(&self, name)
            } while skip(UInt8(ascii: ","))
            try expect(UInt8(ascii: "}"), "',' or '}'")
        }
        depth -= 1
    }

    /// Calls `element` with the reader standing before each element, which `element` must read.
    mutating func readArray(_ element: (inout JSONReader) throws(CheckpointError) -> Void) throws(CheckpointError) {
        try open(UInt8(ascii: "["), "a list")
        if !skip(UInt8(ascii: "]")) {
            repeat { try element(&self) } while skip(UInt8(ascii: ","))
            try expect(UInt8(ascii: "]"), "',' or ']'")
        }
        depth -= 1
    }

    package mutating func readValue() throws(CheckpointError) -> JSONValue {
        switch nextSignificant() {
        case UInt8(ascii: "{"): return try readMembers()
        case UInt8(ascii: "["):
            var elements: [JSONValue] = []
            try readArray { (reader) throws(CheckpointError) in elements.append(try reader.readValue()) }
            return .array(elements)
        case UInt8(ascii: "\""): return .string(try readString())
        case UInt8(ascii: "t"): return try readWord("true", as: .bool(true))
        case UInt8(ascii: "f"): return try readWord("false", as: .bool(false))
        case UInt8(ascii: "n"): return try readWord("null", as: .null)
        default: return .number(try readNumber())
        }
    }

    /// Reads a value and keeps nothing of it.
    mutating func skipValue() throws(CheckpointError) {
        switch nextSignificant() {
        case UInt8(ascii: "{"): try readObject { (reader, _) throws(CheckpointError) in try reader.skipValue() }
        case UInt8(ascii: "["): try readArray { (reader) throws(CheckpointError) in try reader.skipValue() }
        default: _ = try readValue()
        }
    }

    /// Fails unless only white space is left.
    package mutating func finish() throws(CheckpointError) {
        if nextSignificant() != nil { throw failure("text after the value") }
    }

    private mutating func readMembers() throws(CheckpointError) -> JSONValue {
        var members: [JSONValue.Member] = []
        var names: Set<String> = []
        try readObject { (reader, name) throws(CheckpointError) in
            guard names.insert(name).inserted else { throw reader.failure("\"\(name)\" stands twice in one object") }
            members.append(JSONValue.Member(name: name, value: try reader.readValue()))
        }
        return .object(members)
    }

    private mutating func readWord(_ word: StaticString, as value: JSONValue) throws(CheckpointError) -> JSONValue {
        let length = word.utf8CodeUnitCount
        guard bytes.count - position >= length,
            (0..<length).allSatisfy({ bytes[position + $0] == word.utf8Start[$0] })
        else { throw failure("expected a value") }
        position += length
        return value
    }

    private mutating func open(_ bracket: UInt8, _ what: String) throws(CheckpointError) {
        try expect(bracket, what)
        depth += 1
        if depth > Self.maximumDepth { throw failure("nested deeper than \(Self.maximumDepth)") }
    }

    private mutating func expect(_ byte: UInt8, _ what: String) throws(CheckpointError) {
        guard skip(byte) else { throw failure("expected \(what)") }
    }

    /// Steps over the byte if it is the next one after white space.
    private mutating func skip(_ byte: UInt8) -> Bool {
        guard nextSignificant() == byte else { return false }
        position += 1
        return true
    }

    /// Steps over white space; the byte there, or nil at the end.
    private mutating func nextSignificant() -> UInt8? {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            case let byte: return byte
            }
        }
        return nil
    }

    /// The byte at the position, or 0 at the end.
    private var current: UInt8 { position < bytes.count ? bytes[position] : 0 }
}

extension JSONReader {
    /// A whole number of at least 0, written in digits alone.
    mutating func readCount() throws(CheckpointError) -> Int {
        _ = nextSignificant()
        let start = position
        let digits = try readNumber()
        guard let value = Int(digits), value >= 0 else {
            position = start
            throw failure("expected a whole number of at least 0 that fits 63 bits")
        }
        return value
    }

    mutating func readString() throws(CheckpointError) -> String {
        try expect(UInt8(ascii: "\""), "a string")
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return try text(UnsafeBufferPointer(rebasing: bytes[start..<position - 1]))
            case UInt8(ascii: "\\"): return try readEscapedString(from: start)
            case 0..<0x20: throw failure("a control character in a string")
            default: position += 1
            }
        }
        throw failure("a string without end")
    }

    private func text(_ units: UnsafeBufferPointer<UInt8>) throws(CheckpointError) -> String {
        guard let text = String(validating: units, as: UTF8.self) else { throw failure("a string that is not UTF-8") }
        return text
    }

    private mutating func readEscapedString(from start: Int) throws(CheckpointError) -> String {
        var units = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: units, as: UTF8.self) else {
                    throw failure("a string that is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"): units.append(contentsOf: try readEscape())
            case 0..<0x20: throw failure("a control character in a string")
            default: units.append(byte)
            }
        }
        throw failure("a string without end")
    }

    private mutating func readEscape() throws(CheckpointError) -> [UInt8] {
        let letter = current
        position += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [letter]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return Array(String(try readScalar()).utf8)
        default: throw failure("an unknown escape in a string")
        }
    }

    private mutating func readScalar() throws(CheckpointError) -> Unicode.Scalar {
        var value = try readFourHexDigits()
        if (0xD800..<0xDC00).contains(value), current == UInt8(ascii: "\\") {
            position += 1
            guard current == UInt8(ascii: "u") else { throw failure("half a surrogate pair") }
            position += 1
            let low = try readFourHexDigits()
            guard (0xDC00..<0xE000).contains(low) else { throw failure("half a surrogate pair") }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw failure("half a surrogate pair") }
        return scalar
    }

    private mutating func readFourHexDigits() throws(CheckpointError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(current)).hexDigitValue, current < 0x80 else {
                throw failure("expected four hexadecimal digits")
            }
            value = value << 4 + UInt32(digit)
            position += 1
        }
        return value
    }

    /// The digits of a number, checked against the grammar.
    mutating func readNumber() throws(CheckpointError) -> String {
        _ = nextSignificant()
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        let first = current
        let whole = skipDigits()
        guard whole > 0, whole == 1 || first != UInt8(ascii: "0") else { throw failure("expected a value") }
        if current == UInt8(ascii: ".") {
            position += 1
            guard skipDigits() > 0 else { throw failure("expected digits after '.'") }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            guard skipDigits() > 0 else { throw failure("expected digits of an exponent") }
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// Steps over digits; how many there were.
    private mutating func skipDigits() -> Int {
        let start = position
        while (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(current) { position += 1 }
        return position - start
    }
}
