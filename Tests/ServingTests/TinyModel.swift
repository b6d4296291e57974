import Checkpoint
import Experts
import Foundation
import Kernels
import Model
import Serving

/// The tiny checkpoint beside the tests, and what a reference implementation made of it.
struct TinyModel {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/tiny-r1-fp8").path

    struct Reference: Decodable {
        struct Prompt: Decodable {
            struct Greedy: Decodable {
                let ids: [Int]
            }

            let name: String
            let ids: [Int]
            let greedy: Greedy
        }

        let prompts: [Prompt]
    }

    static func reference() throws -> Reference {
        try JSONDecoder().decode(
            Reference.self, from: Data(contentsOf: URL(fileURLWithPath: "\(folder)/reference.json")))
    }

    let checkpoint: Checkpoint
    let processor = Processor(threads: 1, compute: .f32)

    init() throws {
        checkpoint = try Checkpoint(folder: "\(Self.folder)/model")
    }

    /// - Parameter wrap: puts something between the engine and the experts.
    func engine(
        prefillChunk: Int = 64, cachePositions: Int = 4096, wrap: (any RoutedExperts) -> any RoutedExperts = { $0 }
    ) throws -> Engine {
        let config = checkpoint.config
        let experts = LocalExperts(
            shard: try ExpertShard(allOf: checkpoint, layers: Array(config.denseLayerCount..<config.layerCount)),
            processor: processor, hiddenSize: config.hiddenSize, expertsPerToken: config.expertsPerToken,
            maximumTokens: prefillChunk, exchange: .f32)
        return Engine(
            model: try DecoderModel(from: checkpoint), experts: wrap(experts), processor: processor,
            limits: .init(prefillChunk: prefillChunk, cachePositions: cachePositions))
    }

    /// What one request gives alone.
    func stepsAlone(_ request: GenerationRequest) throws -> [TokenStep] {
        let engine = try engine()
        let sequence = try engine.submit(request)
        while engine.hasWork { _ = try engine.step() }
        return sequence.steps
    }
}
