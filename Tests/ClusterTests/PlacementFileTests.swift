import Cluster
import Foundation
import TestSupport
import Testing

@Suite struct PlacementFileTests {
    static let names = ["a", "b", "c", "d"]

    static func parallelism(tensor: Int = 1, pipeline: Int = 1) throws -> Parallelism {
        try Parallelism(tensor: tensor, pipeline: pipeline, workers: names.count)
    }

    /// Layers 3 and 5, 4 experts; every slot of an even expert has a replica on the last worker of its stage.
    static func placement(tensor: Int = 1, pipeline: Int = 1) throws -> Placement {
        let uniform = try Placement.uniform(
            layers: [3, 5], experts: 4, parallelism: parallelism(tensor: tensor, pipeline: pipeline),
            workerWeights: names.map { _ in 1 })
        var holdings = Holdings(uniform)
        for slot in uniform.layers.flatMap({ layer in [0, 2].map { Slot(layer: layer, expert: $0, rank: 0) } }) {
            let last = uniform.stage(layer: slot.layer)!.workers.upperBound - 1
            if !holdings.holdsExpert(of: slot, worker: last) { holdings.add(slot, to: last) }
        }
        return try holdings.placement(epoch: 9, parallelism: uniform.parallelism, stages: uniform.stages)
    }

    static func bytes() throws -> [UInt8] {
        let named = try #require(NamedPlacement(placement(), names: names))
        return PlacementFile.encode(LoadStatisticsTests.sample(), named)
    }

    @Test("a file gives back the statistics and the placement, and equal contents give equal bytes")
    func roundTrip() throws {
        let bytes = try Self.bytes()
        let (statistics, named) = try PlacementFile.decode(bytes, file: "x.json", seconds: 60)
        #expect(statistics == LoadStatisticsTests.sample())
        #expect(named == NamedPlacement(try Self.placement(), names: Self.names))
        #expect(PlacementFile.encode(statistics, named) == bytes)
    }

    @Test("one worker may hold both slices of an expert, as where workers are few")
    func twoSlices() throws {
        let uniform = try Self.placement(tensor: 2)
        var holdings = Holdings(uniform)
        holdings.removeAll(of: 3)
        for slot in holdings.missing { holdings.add(slot, to: 2) }
        let cramped = try holdings.placement(epoch: 1, parallelism: uniform.parallelism, stages: uniform.stages)
        let named = try #require(NamedPlacement(cramped, names: Self.names))
        let bytes = PlacementFile.encode(LoadStatisticsTests.sample(), named)
        #expect(try PlacementFile.decode(bytes, file: "x.json", seconds: 60).placement == named)
    }

    @Test("a placement comes back on the same workers, whatever their order", arguments: [(1, 1), (2, 1), (1, 2)])
    func placed(tensor: Int, pipeline: Int) throws {
        let placement = try Self.placement(tensor: tensor, pipeline: pipeline)
        let named = try #require(NamedPlacement(placement, names: Self.names))
        // The stages of a pipeline own runs of workers, so these stay on their side.
        let names = pipeline == 1 ? ["d", "b", "a", "c"] : ["b", "a", "d", "c"]
        let again = try #require(
            named.placed(
                on: names, epoch: 2, parallelism: placement.parallelism, stages: placement.stages, experts: 4))
        #expect(again.epoch == 2)
        for layer in placement.layers {
            for expert in 0..<4 {
                for rank in 0..<tensor {
                    let before = placement.workers(layer: layer, expert: expert, rank: rank).map { Self.names[$0] }
                    let after = again.workers(layer: layer, expert: expert, rank: rank).map { names[$0] }
                    #expect(before == after)
                }
            }
        }
    }

    @Test("other workers, another cut or another model get no placement")
    func notPlaced() throws {
        let placement = try Self.placement(pipeline: 2)
        let named = try #require(NamedPlacement(placement, names: Self.names))
        func placed(_ names: [String], _ parallelism: Parallelism, experts: Int = 4) throws -> Placement? {
            let stages = try Stage.cut(
                layers: [3, 5], parallelism: parallelism,
                workerWeights: Array(repeating: 1, count: parallelism.workers))
            return named.placed(on: names, epoch: 0, parallelism: parallelism, stages: stages, experts: experts)
        }
        let same = placement.parallelism
        #expect(try placed(Self.names, same) != nil)
        #expect(try placed(["a", "b", "c", "x"], same) == nil)
        #expect(try placed(["a", "b", "c", "c"], same) == nil)
        #expect(try placed(["a", "c", "b", "d"], same) == nil, "b and c have changed stages")
        #expect(try placed(Self.names + ["e"], Parallelism(tensor: 1, pipeline: 2, workers: 5)) == nil)
        #expect(try placed(Array(Self.names.prefix(3)), Parallelism(tensor: 1, pipeline: 2, workers: 3)) == nil)
        #expect(try placed(Self.names, Parallelism(tensor: 2, pipeline: 1, workers: 4)) == nil)
        #expect(try placed(Self.names, same, experts: 5) == nil)
        let other = try Stage.cut(layers: [3, 4], parallelism: same, workerWeights: [1, 1, 1, 1])
        #expect(named.placed(on: Self.names, epoch: 0, parallelism: same, stages: other, experts: 4) == nil)
    }

    @Test("workers without slots are left out, and a holder without a name gives nothing")
    func names() throws {
        let placement = try Self.placement()
        var holdings = Holdings(placement)
        holdings.removeAll(of: 1)
        for slot in holdings.missing { holdings.add(slot, to: 0) }
        let some = try holdings.placement(epoch: 1, parallelism: placement.parallelism, stages: placement.stages)
        #expect(NamedPlacement(some, names: Self.names)?.workers == ["a", "c", "d"])
        #expect(NamedPlacement(some, names: ["a", "b", "c"]) == nil)
    }

    @Test("broken files are refused with the field")
    func broken() throws {
        let good = String(decoding: try Self.bytes(), as: UTF8.self)
        func problem(_ old: String, _ new: String) -> LoadFileError.Problem? {
            #expect(good.contains(old), "\(old)")
            let text = good.replacingOccurrences(of: old, with: new)
            let error = #expect(throws: LoadFileError.self) {
                try PlacementFile.decode(Array(text.utf8), file: "x.json")
            }
            #expect(error?.description.hasPrefix("x.json: ") == true)
            return error?.problem
        }
        #expect(problem(#""cohort-placement""#, #""cohort-load""#) == .otherFormat(found: "cohort-load"))
        #expect(problem(#""tensor":1,"version":1"#, #""tensor":1,"version":2"#) == .otherVersion(found: 2, known: 1))
        #expect(
            problem(#""tensor":1"#, #""tensor":9"#) == .invalid(field: "tensor", value: "9", expected: "1 to 4"))
        #expect(
            problem(#""tensor":1"#, #""tensor":2"#)
                == .wrongCount(field: "layers[0].holders[0]", found: 1, expected: 2))
        #expect(problem(#""layer":3"#, #""layer":"3""#) == .wrongType(field: "layers[0].layer", expected: "Int"))
        #expect(
            problem(#""layer":3"#, #""layer":7"#)
                == .invalid(field: "layers", value: "[7, 5]", expected: "ascending indices"))
        #expect(problem(#"["a","b","c","d"]"#, #"["a","b","c","a"]"#)?.field == "workers")
        #expect(problem("[[[0,3]],", "[[[0,4]],")?.field == "layers[0].holders[0]")
        #expect(problem("[[[0,3]],", "[[[3,3]],")?.field == "layers[0].holders[0]")
        #expect(problem("[[[0,3]],", "[[[]],")?.field == "layers[0].holders[0]")
        #expect(problem(#""format":"cohort-load""#, #""format":"x""#) == .otherFormat(found: "x"))
        #expect(
            problem(#""windows":[10,100]"#, #""windows":[10]"#)
                == .wrongCount(field: "loads.tokens", found: 2, expected: 1))
        #expect(problem(#""busy_seconds""#, #""busy""#) == .missing(field: "loads.workers.a[0].busy_seconds"))
    }

    @Test("files cut short or with a byte changed end in an error or in a valid placement")
    func mutations() throws {
        var generator = SplitMix(seed: 4)
        let good = try Self.bytes()
        for cut in 0..<good.count {
            #expect(throws: LoadFileError.self) { try PlacementFile.decode(Array(good.prefix(cut)), file: "x.json") }
        }
        let placement = try Self.placement()
        for _ in 0..<3000 {
            var bytes = good
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            do throws(LoadFileError) {
                let (_, named) = try PlacementFile.decode(bytes, file: "x.json")
                _ = named.placed(
                    on: Self.names, epoch: 0, parallelism: placement.parallelism, stages: placement.stages, experts: 4)
            } catch { #expect(!error.description.isEmpty) }
        }
    }
}

extension LoadFileError.Problem {
    /// The field of a value that is not allowed.
    fileprivate var field: String? {
        if case .invalid(let field, _, _) = self { field } else { nil }
    }
}
