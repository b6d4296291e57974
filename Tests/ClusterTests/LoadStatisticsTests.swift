import Cluster
import Foundation
import TestSupport
import Testing

@Suite struct LoadStatisticsTests {
    static func record(_ statistics: inout LoadStatistics, layer: Int, _ experts: [Int32]) {
        experts.withUnsafeBufferPointer { statistics.record(layer: layer, experts: $0) }
    }

    static func sample() -> LoadStatistics {
        var statistics = LoadStatistics(layers: [3, 5], experts: 4, windows: [10, 100], seconds: 50)
        record(&statistics, layer: 3, [0, 1, 1])
        record(&statistics, layer: 5, [3])
        statistics.record(worker: "a", WorkerLoad(tokens: 4, busySeconds: 2, waitSeconds: 0.5, bytes: 100))
        statistics.fold(seconds: 50)
        record(&statistics, layer: 5, [3, 2])
        statistics.fold(seconds: 60)
        return statistics
    }

    @Test("tokens fade by e in each window's time, and new ones count whole")
    func windows() {
        let statistics = Self.sample()
        let (short, long) = (exp(-1.0), exp(-0.1))
        for (window, kept) in [short, long].enumerated() {
            let expected = [1, 2, 0, 0, 0, 0, 0, 1].map { $0 * kept }
            let tokens = statistics.loads(window: window).tokens
            for (index, value) in tokens.enumerated() {
                #expect(abs(value - expected[index] - (index >= 6 ? 1 : 0)) < 1e-12)
            }
        }
        let load = statistics.workers["a"]!.windows[0]
        #expect(abs(load.tokens - 4 * short) < 1e-12 && abs(load.speed! - 2) < 1e-12)
    }

    @Test("a steady stream settles at rate x window")
    func steady() {
        var statistics = LoadStatistics(layers: [0], experts: 1, windows: [20])
        for second in 1...400 {
            Self.record(&statistics, layer: 0, [0, 0, 0])
            statistics.fold(seconds: Double(second))
        }
        #expect(abs(statistics.loads().tokens[0] / 60 - 1) < 0.03)
    }

    @Test("a file gives back what was folded, and equal statistics give equal bytes")
    func file() throws {
        let statistics = Self.sample()
        let bytes = LoadFile.encode(statistics)
        #expect(try LoadFile.decode(bytes, file: "x.json", seconds: 60) == statistics)
        #expect(try LoadFile.encode(LoadFile.decode(bytes, file: "x.json")) == bytes)
    }

    @Test("two records of one model add up, and those of two models do not")
    func merge() throws {
        var sum = Self.sample()
        try sum.merge(Self.sample())
        #expect(sum.loads().tokens == Self.sample().loads().tokens.map { $0 * 2 })
        #expect(sum.workers["a"]!.windows[1].bytes == 2 * Self.sample().workers["a"]!.windows[1].bytes)
        let other = LoadStatistics(layers: [3, 5], experts: 5, windows: [10, 100])
        let error = #expect(throws: LoadFileError.self) { try sum.merge(other) }
        #expect(error?.problem == .otherModel(field: "experts") && error?.file == nil)
    }

    static let broken: [(String, LoadFileError.Problem)] = [
        ("", .syntax(reason: "the text breaks off or is no JSON")),
        ("[1]", .wrongType(field: "", expected: "Dictionary<String, Any>")),
        (#"{"version": 1}"#, .missing(field: "format")),
        (#"{"format": "x", "version": 1}"#, .otherFormat(found: "x")),
        (#"{"format": "cohort-load", "version": 2}"#, .otherVersion(found: 2, known: 1)),
        (#"{"format": "cohort-load", "version": "1"}"#, .wrongType(field: "version", expected: "Int")),
    ]

    @Test("a broken head is refused with the field and what to do", arguments: broken)
    func head(text: String, problem: LoadFileError.Problem) throws {
        let error = #expect(throws: LoadFileError.self) { try LoadFile.decode(Array(text.utf8), file: "x.json") }
        if !text.hasPrefix("[") { #expect(error?.problem == problem) }
        #expect(error?.description.hasPrefix("x.json: ") == true)
    }

    @Test("broken contents are refused with the field")
    func contents() throws {
        let good = String(decoding: LoadFile.encode(Self.sample()), as: UTF8.self)
        func problem(_ old: String, _ new: String) -> LoadFileError.Problem? {
            #expect(good.contains(old), "\(old)")
            let text = good.replacingOccurrences(of: old, with: new)
            let error = #expect(throws: LoadFileError.self) {
                try LoadFile.decode(Array(text.utf8), file: "x.json")
            }
            return error?.problem
        }
        #expect(problem(#""experts":4"#, #""experts":5"#) == .wrongCount(field: "tokens[0][0]", found: 4, expected: 5))
        #expect(
            problem(#""layers":[3,5]"#, #""layers":[5,3]"#)
                == .invalid(field: "layers", value: "[5, 3]", expected: "ascending indices"))
        #expect(
            problem(#""windows":[10,100]"#, #""windows":[10]"#)
                == .wrongCount(field: "tokens", found: 2, expected: 1))
        #expect(
            problem(#""experts":4"#, #""experts":99999999"#)
                == .invalid(field: "experts", value: "99999999", expected: "1 to 65536"))
        #expect(problem(#""busy_seconds""#, #""busy""#) == .missing(field: "workers.a[0].busy_seconds"))
        #expect(problem(#""layers":[3,5]"#, #""layers":3"#) == .wrongType(field: "layers", expected: "Array<Any>"))
    }

    @Test("files cut short or with a byte changed end in an error or in valid statistics")
    func mutations() {
        var generator = SplitMix(seed: 2)
        let good = LoadFile.encode(Self.sample())
        for cut in 0..<good.count {
            #expect(throws: LoadFileError.self) { try LoadFile.decode(Array(good.prefix(cut)), file: "x.json") }
        }
        for _ in 0..<3000 {
            var bytes = good
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            do throws(LoadFileError) {
                let statistics = try LoadFile.decode(bytes, file: "x.json")
                #expect(statistics.loads().tokens.allSatisfy { $0 >= 0 && $0.isFinite })
            } catch { #expect(!error.description.isEmpty) }
        }
    }
}
