internal import Checkpoint
internal import Foundation
internal import Testing

@Suite struct JSONReaderTests {
    @Test("values of every kind are read as they stand")
    func kinds() throws {
        let text = #"""
             {"a": [1, -2.5e+3, 0], "b": {"c": null, "d": true, "e": false},
            "f": "\u00e9\ud83d\ude00\n\"\/", "g": "é"}
            """#
        let expected = JSONValue.object([
            .init(name: "a", value: .array([.number("1"), .number("-2.5e+3"), .number("0")])),
            .init(
                name: "b",
                value: .object([
                    .init(name: "c", value: .null), .init(name: "d", value: .bool(true)),
                    .init(name: "e", value: .bool(false)),
                ])),
            .init(name: "f", value: .string("é😀\n\"/")), .init(name: "g", value: .string("é")),
        ])
        #expect(try Self.value(text) == expected)
    }

    @Test(
        "text that is not JSON is refused",
        arguments: [
            "", " ", "{", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "[1 2]", "01", "-", "1.", ".5", "1e", "+1", "NaN",
            "Infinity", "nul", "truefalse", "\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"",
            "\"\\ud800\\u0041\"", "\"a\nb\"", "{} {}", "[1]]", "{\"a\":1,\"a\":2}", "\"\\u００４１\"",
        ])
    func refused(text: String) {
        let error = #expect(throws: CheckpointError.self) { try Self.value(text) }
        #expect(error?.kind == .malformed)
        #expect(error?.description.contains("file.json") == true)
    }

    @Test("strings that are not UTF-8 are refused")
    func notUTF8() {
        for bytes: [UInt8] in [[0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0x5C, 0x6E, 0xED, 0xA0, 0x80, 0x22]] {
            #expect(throws: CheckpointError.self) { try Self.value(bytes) }
        }
    }

    @Test("nesting ends at the limit, long before the stack does")
    func depth() throws {
        let limit = JSONReader.maximumDepth
        _ = try Self.value(String(repeating: "[", count: limit) + String(repeating: "]", count: limit))
        for bracket in ["[", "{\"a\":"] {
            let error = #expect(throws: CheckpointError.self) {
                try Self.value(String(repeating: bracket, count: 200_000))
            }
            #expect(error?.description.contains("nested") == true)
        }
    }

    @Test("mutated and truncated text never reads past its end")
    func fuzz() {
        let text = Array(SampleConfig.v3.json.utf8) + Array(#"["\u00e9\ud83d\ude00\\", -1.5e-7, true, null]"#.utf8)
        for length in 0...text.count { _ = try? Self.value(Array(text[..<length])) }
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<20_000 {
            let start = Int.random(in: 0..<text.count, using: &generator)
            var bytes = Array(text[start..<min(text.count, start + 120)])
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = Self.mutation(&generator)
            }
            _ = try? Self.value(bytes)
        }
    }

    private static func mutation(_ generator: inout SeededGenerator) -> UInt8 {
        let likely = Array("{}[]\",:\\u0123456789-+.eEtfn \u{7F}".utf8)
        return Bool.random(using: &generator)
            ? likely.randomElement(using: &generator) ?? 0 : UInt8.random(in: 0...255, using: &generator)
    }

    private static func value(_ text: String) throws -> JSONValue { try value(Array(text.utf8)) }

    /// Reads bytes that end where memory ends: one byte further is a page that cannot be read.
    private static func value(_ bytes: [UInt8]) throws -> JSONValue {
        let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
        let size = (bytes.count + pageSize - 1) / pageSize * pageSize + pageSize
        let memory = try #require(
            mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
        defer { munmap(memory, size) }
        mprotect(memory + size - pageSize, pageSize, PROT_NONE)
        let start = memory + size - pageSize - bytes.count
        start.copyMemory(from: bytes, byteCount: bytes.count)
        var reader = JSONReader(UnsafeRawBufferPointer(start: start, count: bytes.count), file: "file.json")
        let value = try reader.readValue()
        try reader.finish()
        return value
    }
}
