internal import Checkpoint
internal import Foundation
internal import Testing

@Suite struct SafetensorsFileTests {
    private static let sample = StoredTensor.file([
        .f32("a.weight", [2, 3], [1, 2, 3, 4, 5, 6]), .sixteenBits("BF16", "b", [3], [1, 2, 3]),
        .f8("c.weight", [5], [1, 2, 3, 4, 5]), StoredTensor(name: "d", dtype: "I64", shape: [], bytes: [UInt8](8..<16)),
        StoredTensor(name: "empty", dtype: "F32", shape: [0, 4], bytes: []),
    ])

    @Test("tensors of every dtype are listed with their place in the file")
    func listing() throws {
        let file = try open(Self.sample)
        let start = Self.sample.count - 43
        #expect(file.tensors.count == 5)
        #expect(file.tensors["a.weight"]?.shape == [2, 3])
        #expect(file.tensors["a.weight"]?.byteOffset == start)
        #expect(file.tensors["c.weight"]?.byteOffset == start + 30)
        #expect(file.tensors["d"]?.dtype == .other("I64"))
        #expect(file.tensors["d"]?.elementCount == 1)
        #expect(file.tensors["empty"]?.byteCount == 0)
    }

    @Test("metadata, blanks around the header and unknown members are accepted")
    func tolerated() throws {
        let header = """
             { "__metadata__" : {"format":"pt"}, "a": {"shape":[1],"data_offsets":[0,4],"dtype":"F32","x":[{}]}}   
            """
        #expect(try open(StoredTensor.file(header: header, data: [0, 0, 0, 0])).tensors.keys.sorted() == ["a"])
        #expect(try open(StoredTensor.file(header: "{}", data: [])).tensors.isEmpty)
    }

    @Test(
        "a header that contradicts itself or the file is an error that names file and tensor",
        arguments: [
            ("{'x.y':{'dtype':'F32','shape':[2],'data_offsets':[0,4]}}", "shape [2] of F32, but 4 bytes"),
            ("{'x.y':{'dtype':'F32','shape':[1],'data_offsets':[4,0]}}", "data_offsets"),
            ("{'x.y':{'dtype':'F32','shape':[1],'data_offsets':[0,4,8]}}", "data_offsets"),
            ("{'x.y':{'dtype':'F32','shape':[3],'data_offsets':[0,12]}}", "ends at byte 12"),
            ("{'x.y':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}}", "gap"),
            ("{'x.y':{'dtype':'F32','shape':[1],'data_offsets':[0,9223372036854775807]}}", "ends at"),
            ("{'x.y':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,8]}}", "shape"),
            ("{'x.y':{'dtype':'F32','shape':[4294967296,4294967296,0],'data_offsets':[0,0]}}", "shape"),
            ("{'x.y':{'dtype':'Q4','shape':[9223372036854775807,2],'data_offsets':[0,8]}}", "shape"),
            ("{'x.y':{'dtype':'Q4','shape':[4611686018427387904],'data_offsets':[0,8]}}", "too large for 8 bytes"),
            ("{'x.y':{'dtype':'Q4','shape':[4611686018427387904],'data_offsets':[0,0]}}", "too large for 0 bytes"),
            ("{'x.y':{'dtype':'U8','shape':[8,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],'data_offsets':[0,8]}}", "dimensions"),
            ("{'x.y':{'shape':[2],'data_offsets':[0,8]}}", "no dtype"),
            ("{'x.y':{'dtype':'F32','data_offsets':[0,8]}}", "no shape"),
            ("{'x.y':{'dtype':'F32','shape':[2]}}", "no data_offsets"),
            ("{'x.y':{'dtype':'F32','dtype':'F32','shape':[2],'data_offsets':[0,8]}}", "twice"),
            ("{'x.y':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'x.y':{}}", "no dtype"),
            (
                "{" + Self.bytes("x.y", 0, 4) + "," + Self.bytes("x.y", 4, 8) + "}",
                "twice"
            ),
            (
                "{" + Self.bytes("a", 0, 6) + "," + Self.bytes("x.y", 4, 8) + "}",
                "overlaps a"
            ),
            (
                "{" + Self.bytes("a", 0, 8) + "," + Self.bytes("x.y", 0, 8) + "}",
                "overlaps a"
            ),
        ])
    func contradictions(header: String, problem: String) throws {
        let bytes = StoredTensor.file(
            header: header.replacing("'", with: "\""), data: [UInt8](repeating: 0, count: 8))
        let text = try refusal(bytes)
        #expect(text.contains("sample.safetensors"))
        #expect(text.contains("x.y"))
        #expect(text.contains(problem), "\(text)")
    }

    @Test(
        "headers that are no header are refused",
        arguments: [
            "[]", "", "7", "{} {}", "{'a':7}", "{'a':{'dtype':5,'shape':[1],'data_offsets':[0,4]}}",
            "{'a':{'dtype':'F32','shape':[-1],'data_offsets':[0,4]}}", "{'__metadata__':{},'__metadata__':{}}",
            "{'a':{'dtype':'F32','shape':[1.0],'data_offsets':[0,4]}}", "{'__metadata__':{'a':{}}}", "{}",
        ])
    func malformed(header: String) throws {
        let bytes = StoredTensor.file(header: header.replacing("'", with: "\""), data: [0, 0, 0, 0])
        #expect(try refusal(bytes).contains("sample.safetensors"))
    }

    @Test("lengths of the header beyond the file or the limit are refused before anything is read")
    func lengths() throws {
        for length: UInt64 in [UInt64(Self.sample.count), 100_000_001, 1 << 62, .max] {
            let prefix = withUnsafeBytes(of: length.littleEndian) { Array($0) }
            #expect(try refusal(prefix + Self.sample.dropFirst(8)).contains("\(length) bytes"))
        }
    }

    @Test("deep nesting in a header is an error, not a crash")
    func nesting() throws {
        let header = "{\"a\":{\"x\":" + String(repeating: "[", count: 100_000)
        #expect(try refusal(StoredTensor.file(header: header, data: [])).contains("nested"))
    }

    @Test("a file cut off anywhere is refused, and so is one with bytes too many")
    func truncation() throws {
        for length in 0..<Self.sample.count {
            #expect(try refusal(Array(Self.sample[..<length])).contains("sample.safetensors"), "\(length)")
        }
        #expect(try refusal(Self.sample + [0]).contains("1 bytes after"))
    }

    @Test("a mutated file is refused or has all its tensors inside, and nothing crashes")
    func mutation() throws {
        let headerEnd = Self.sample.count - 43
        let folder = try TemporaryFolder()
        var generator = SeededGenerator(seed: 11)
        var accepted = 0
        for _ in 0..<5_000 {
            var bytes = Self.sample
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let position = Int.random(in: 0..<headerEnd, using: &generator)
                let digits = Array("0123456789".utf8)
                bytes[position] =
                    digits.contains(bytes[position])
                    ? digits.randomElement(using: &generator) ?? 0 : UInt8.random(in: 0...255, using: &generator)
            }
            try folder.write(bytes, "sample.safetensors")
            do {
                let file = try SafetensorsFile(path: folder.file("sample.safetensors"))
                accepted += 1
                for record in file.tensors.values {
                    #expect(record.byteOffset >= 8 && record.byteOffset + record.byteCount <= bytes.count)
                }
            } catch {
                #expect("\(error)".contains("sample.safetensors"))
            }
        }
        #expect(accepted > 0)
    }

    @Test("what is no readable file is named")
    func notFiles() throws {
        let folder = try TemporaryFolder()
        let missing = #expect(throws: CheckpointError.self) { try SafetensorsFile(path: folder.file("none")) }
        #expect(missing?.kind == .missing)
        let directory = #expect(throws: CheckpointError.self) { try SafetensorsFile(path: folder.path) }
        #expect(directory?.description.contains("folder") == true)
        #expect(try refusal([]).contains("is empty"))
        mkfifo(folder.file("pipe"), 0o600)
        let pipe = #expect(throws: CheckpointError.self) { try SafetensorsFile(path: folder.file("pipe")) }
        #expect(pipe?.kind == .unreadable)
    }

    @Test("names with control characters and of great length make one short line")
    func names() throws {
        let name = String(repeating: "n\\n", count: 5_000)
        let header = "{\"\(name)\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}"
        let text = try refusal(StoredTensor.file(header: header, data: [0, 0, 0, 0]))
        #expect(!text.contains("\n"))
        #expect(text.count < 5_000)
    }

    /// A header's member for a tensor of single bytes.
    private static func bytes(_ name: String, _ start: Int, _ end: Int) -> String {
        "'\(name)':{'dtype':'U8','shape':[\(end - start)],'data_offsets':[\(start),\(end)]}"
    }

    private func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
        let folder = try TemporaryFolder()
        try folder.write(bytes, "sample.safetensors")
        return try SafetensorsFile(path: folder.file("sample.safetensors"))
    }

    /// The text of the error with which the file is refused.
    private func refusal(_ bytes: [UInt8]) throws -> String {
        let error = #expect(throws: CheckpointError.self) { _ = try open(bytes) }
        return try #require(error).description
    }
}
