import Bench
import Cluster
import Testing

@Suite struct RoutingTraceTests {
    @Test("experts of a token are distinct, and the first ranks get what Zipf's law gives them")
    func zipf() {
        let trace = RoutingTrace(experts: 64, expertsPerToken: 4, layers: 2, tokens: 4000, exponent: 1, seed: 3)
        #expect(trace.layers.count == 2 && trace.tokenCount == 4000 && trace.layers[0] != trace.layers[1])
        for layer in trace.layers {
            var counts = [Int](repeating: 0, count: 64)
            for first in stride(from: 0, to: layer.count, by: 4) {
                #expect(Set(layer[first..<first + 4]).count == 4)
                for expert in layer[first..<first + 4] { counts[Int(expert)] += 1 }
            }
            let sorted = counts.sorted(by: >)
            // Drawing without repetition flattens the head; far down the tail the law holds: rank 16 against rank 48.
            #expect((2.4...3.6).contains(Double(sorted[15]) / Double(sorted[47])), "\(sorted[15]) and \(sorted[47])")
        }
    }

    @Test("a recorded trace is replayed as it was, round and round")
    func recorded() throws {
        let json = #"{"ids": [1], "routing": [{"layer": 3, "experts": [[0, 1], [2, 3], [1, 2]]}]}"#
        let trace = try RoutingTrace(json: Array(json.utf8), file: "trace.json", experts: 4, expertsPerToken: 2)
        #expect(trace.batch(layer: 0, from: 2, tokens: 2) == [1, 2, 0, 1])
        #expect(trace.batch(layer: 1, from: 0, tokens: 1) == [0, 1])
    }

    @Test(
        "a file that is no trace of the model is refused by name",
        arguments: [
            "{", "[]", #"{"routing": []}"#, #"{"routing": [{"layer": 1, "experts": []}]}"#,
            #"{"routing": [{"layer": 1, "experts": [[0, 4]]}]}"#, #"{"routing": [{"layer": 1, "experts": [[0]]}]}"#,
            #"{"routing": [{"layer": 1, "experts": [[0, 1]]}, {"layer": 2, "experts": [[0, 1], [1, 2]]}]}"#,
        ])
    func bad(_ text: String) {
        let error = #expect(throws: RoutingTraceError.self) {
            _ = try RoutingTrace(json: Array(text.utf8), file: "trace.json", experts: 4, expertsPerToken: 2)
        }
        #expect(error?.description.hasPrefix("trace.json") == true)
    }

    @Test("a placement that gives one worker all is as uneven as can be, and an even one is level")
    func balance() throws {
        let trace = RoutingTrace(experts: 8, expertsPerToken: 2, layers: 1, tokens: 512, exponent: 0, seed: 1)
        let stages = [Stage(index: 0, layers: [5], workers: 0..<2)]
        let two = try Parallelism(tensor: 1, pipeline: 1, workers: 2)
        func level(_ holder: @escaping (Int) -> [Int]) throws -> Double {
            let placement = try Placement(epoch: 0, parallelism: two, stages: stages, experts: 8) { holder($0.expert) }
            return trace.maximumOverMean(placement, modelLayers: [5], workers: [0, 1], batch: 16)
        }
        #expect(try level { _ in [1] } == 2)
        #expect(try level { [$0 % 2] } < 1.1)
        #expect(try level { _ in [0, 1] } == 1)
    }
}
