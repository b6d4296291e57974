internal import Foundation

/// What a machine was measured to do with a model's own kernels, and what the way to its workers costs: the file that
/// `cohort bench plan --record` writes and `cohort plan --machine` reads.
package struct MeasuredRates: Codable, Hashable, Sendable {
    /// What one process computes with: a phase that reads B bytes and does M multiply-adds takes B / memoryBandwidth +
    /// M / multiplyAddsPerSecond.
    package struct Rates: Codable, Hashable, Sendable {
        /// Bytes of weights per second.
        package let memoryBandwidth: Double
        /// Infinite where more rows take no longer.
        package let multiplyAddsPerSecond: Double

        package init(memoryBandwidth: Double, multiplyAddsPerSecond: Double) {
            self.memoryBandwidth = memoryBandwidth
            self.multiplyAddsPerSecond = multiplyAddsPerSecond
        }
    }

    package let coordinator: Rates
    /// Of one worker while the others work too.
    package let worker: Rates
    /// What a layer's dispatch and combine take beyond the experts' work and the time of the bytes.
    package let roundTripSeconds: Double
    /// Bytes per second of the way out and back.
    package let linkBandwidth: Double

    package init(coordinator: Rates, worker: Rates, roundTripSeconds: Double, linkBandwidth: Double) {
        self.coordinator = coordinator
        self.worker = worker
        self.roundTripSeconds = roundTripSeconds
        self.linkBandwidth = linkBandwidth
    }

    /// - Throws: `MeasuredRatesError`.
    package static func decode(_ bytes: [UInt8], file: String) throws(MeasuredRatesError) -> MeasuredRates {
        let document: Document
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            document = try decoder.decode(Document.self, from: Data(bytes))
        } catch { throw MeasuredRatesError(file: file, problem: "is no JSON of measured rates") }
        guard document.format == Self.format else {
            throw MeasuredRatesError(file: file, problem: "has the format '\(document.format)'")
        }
        let rates = document.rates
        let numbers = [
            rates.coordinator.memoryBandwidth, rates.coordinator.multiplyAddsPerSecond, rates.worker.memoryBandwidth,
            rates.worker.multiplyAddsPerSecond, rates.linkBandwidth,
        ]
        guard numbers.allSatisfy({ (1...Self.most).contains($0) }), (0...1).contains(rates.roundTripSeconds) else {
            throw MeasuredRatesError(file: file, problem: "has a rate that no machine has")
        }
        return rates
    }

    /// As `decode` reads it.
    package func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(Document(format: Self.format, rates: self)))
    }

    private struct Document: Codable {
        let format: String
        let rates: MeasuredRates
    }

    private static let format = "cohort-machine"
    /// Above any machine; stands for a rate without bound.
    package static let most = 1e18
}
