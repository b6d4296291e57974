import Checkpoint
import Foundation
import Model
import TestSupport
import Testing

@Suite struct RotaryTests {
    private struct RopeCheck: Decodable {
        let frequencies: [Double]
        let factor: Double
        let softmaxScale: Double

        enum CodingKeys: String, CodingKey {
            case frequencies = "inv_freq"
            case factor = "cos_sin_factor"
            case softmaxScale = "softmax_scale"
        }
    }

    private struct File: Decodable {
        let check: RopeCheck

        enum CodingKeys: String, CodingKey {
            case check = "rope_check"
        }
    }

    @Test("frequencies, factor and softmax scale are those computed by hand from the config", arguments: Fixture.all)
    func reference(_ fixture: Fixture) throws {
        let path = Repository.path("Tests/Fixtures/\(fixture.name)/reference.json")
        let check = try JSONDecoder().decode(File.self, from: Data(contentsOf: URL(fileURLWithPath: path))).check
        let rotary = Rotary(try ModelConfig(folder: fixture.model))
        #expect(rotary.inverseFrequencies.count == check.frequencies.count)
        for (frequency, expected) in zip(rotary.inverseFrequencies, check.frequencies) {
            #expect(abs(Double(frequency) - expected) <= 1e-6 * expected)
        }
        #expect(abs(Double(rotary.amplitude) - check.factor) < 1e-6)
        #expect(abs(Double(rotary.softmaxScale) - check.softmaxScale) < 1e-6 * check.softmaxScale)
    }

    @Test("R1's published numbers")
    func published() throws {
        let rotary = Rotary(
            try ModelConfig(path: Repository.path("Tests/ClusterTests/Fixtures/deepseek-r1/config.json")))
        for (index, expected) in [(0, 1.0), (10, 0.0562341), (11, 0.0390069), (16, 0.0055), (31, 3.33380e-6)] {
            #expect(abs(Double(rotary.inverseFrequencies[index]) - expected) < 1e-5 * expected)
        }
        #expect(rotary.amplitude == 1)
        #expect(abs(rotary.softmaxScale - 0.1352338) < 1e-6)
    }
}
