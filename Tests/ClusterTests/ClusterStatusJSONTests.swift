import Cluster
import Foundation
import TestSupport
import Testing

@Suite struct ClusterStatusJSONTests {
    @Test("a status comes back as it was, and equal ones have equal bytes")
    func roundTrip() throws {
        for isPretty in [false, true] {
            let bytes = FakeCluster.sample.json(isPretty: isPretty)
            #expect(ClusterStatus(json: bytes) == FakeCluster.sample)
            #expect(bytes == FakeCluster.sample.json(isPretty: isPretty))
        }
    }

    @Test("members are in snake case and sorted")
    func members() throws {
        let text = String(decoding: FakeCluster.sample.json(), as: UTF8.self)
        #expect(text.hasPrefix(#"{"balancedness":0.875,"epoch":7,"migration":{"done_bytes":0,"#))
        #expect(text.contains(#""missing_seconds":0,"#) && text.contains(#""tokens_per_second":14.25"#))
    }

    @Test("a rate that is no number is told all the same")
    func notANumber() throws {
        var status = FakeCluster.sample
        status.tokensPerSecond = .infinity
        status.workers[0].busyShare = .nan
        let back = try #require(ClusterStatus(json: status.json()))
        #expect(back.tokensPerSecond == .infinity && back.workers[0].busyShare.isNaN)
    }

    @Test("what is no status is refused, and nothing crashes")
    func broken() {
        let good = FakeCluster.sample.json()
        for cut in 0..<good.count { #expect(ClusterStatus(json: Array(good.prefix(cut))) == nil) }
        var generator = SplitMix(seed: 3)
        for _ in 0..<1000 {
            var bytes = good
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            if let status = ClusterStatus(json: bytes) { #expect(!StatusText(status).lines().isEmpty) }
        }
    }
}
