internal import Checkpoint
internal import Testing

@Suite struct RopeConfigTests {
    @Test("YaRN is the same under the keys type and rope_type and inside rope_parameters")
    func forms() throws {
        let published = try SampleConfig.v3.parsed().rope
        #expect(published.yarn != nil)
        let renamed = SampleConfig.v3.setting(["rope_scaling": SampleConfig.yarn(typeKey: "rope_type")])
        #expect(try renamed.parsed().rope == published)
        let inside = SampleConfig.yarn(typeKey: "rope_type").dropLast() + ", \"rope_theta\": 10000.0}"
        let moved = SampleConfig.v3.setting([
            "rope_scaling": nil, "rope_theta": nil, "rope_parameters": String(inside),
        ])
        #expect(try moved.parsed().rope == published)
    }

    @Test(
        "no scaling, an empty one and the default type mean plain frequencies",
        arguments: ["null", "{}", "{\"rope_type\": \"default\"}", "{\"type\": \"default\"}"])
    func plain(scaling: String) throws {
        let rope = try SampleConfig.v3.setting(["rope_scaling": scaling]).parsed().rope
        #expect(rope.yarn == nil && rope.theta == 10000)
        let parameters = "{\"rope_type\": \"default\", \"rope_theta\": 50000}"
        let moved = SampleConfig.v3.setting([
            "rope_scaling": nil, "rope_theta": nil, "rope_parameters": parameters,
        ])
        #expect(try moved.parsed().rope.theta == 50000)
    }

    private static let yarn = SampleConfig.yarn(typeKey: "type")

    @Test(
        "a YaRN field that is wrong is named with its path",
        arguments: ["factor", "original_max_position_embeddings", "beta_fast", "beta_slow"])
    func wrongFields(field: String) {
        expect(Self.yarn.replacing("\"\(field)\": ", with: "\"\(field)\": -"), isRefusedFor: field)
    }

    @Test(
        "a YaRN field that is missing is named with its path",
        arguments: ["factor", "original_max_position_embeddings"]
    )
    func missingFields(field: String) {
        expect(Self.yarn.replacing("\"\(field)\"", with: "\"x\""), isRefusedFor: field)
    }

    private func expect(_ scaling: String, isRefusedFor field: String) {
        let error = #expect(throws: CheckpointError.self) {
            try SampleConfig.v3.setting(["rope_scaling": scaling]).parsed()
        }
        #expect(error?.item == "rope_scaling.\(field)")
    }

    @Test("YaRN's betas are the paper's where they are left out")
    func absentBetas() throws {
        let text = Self.yarn.replacing("\"beta_fast\": 32, \"beta_slow\": 1, ", with: "")
        #expect(text != Self.yarn)
        #expect(try SampleConfig.v3.setting(["rope_scaling": text]).parsed() == SampleConfig.v3.parsed())
    }

    @Test(
        "other rope types and unknown YaRN variants are refused",
        arguments: [
            ("{\"type\": \"linear\", \"factor\": 2}", "rope_scaling.type"),
            ("{\"factor\": 2}", "rope_scaling.rope_type"),
            ("{\"rope_type\": \"dynamic\"}", "rope_scaling.rope_type"), ("7", "rope_scaling"),
            ("{\"type\": \"yarn\", \"attention_factor\": 1.2}", "rope_scaling.attention_factor"),
            ("{\"type\": \"yarn\", \"truncate\": false}", "rope_scaling.truncate"),
        ])
    func refused(scaling: String, named: String) {
        let error = #expect(throws: CheckpointError.self) {
            try SampleConfig.v3.setting(["rope_scaling": scaling]).parsed()
        }
        #expect(error?.item == named)
    }

    @Test("the factors of V2-Lite's 0.707 and of absent mscale follow the published formula")
    func factors() throws {
        let lite = SampleConfig.yarn(typeKey: "type", mscale: 0.707)
        let yarn = try #require(try SampleConfig.v3.setting(["rope_scaling": lite]).parsed().rope.yarn)
        #expect(yarn.rotationFactor == 1)
        #expect(abs(yarn.softmaxFactor - 1.2608037774058554 * 1.2608037774058554) < 1e-12)
        let bare = lite.replacing("\"mscale\"", with: "\"x\"").replacing("\"mscale_all_dim\"", with: "\"y\"")
        let plain = try #require(try SampleConfig.v3.setting(["rope_scaling": bare]).parsed().rope.yarn)
        #expect(plain.softmaxFactor == 1)
        #expect(abs(plain.rotationFactor - 1.3688879454113936) < 1e-12)
    }
}
