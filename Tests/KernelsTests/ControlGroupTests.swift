import Foundation
import Kernels
import Testing

@Suite struct ControlGroupTests {
    /// What a process reads whose groups are `groups`, where these files are mounted.
    private static func group(_ groups: String, _ files: [String: String]) throws -> ControlGroup {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("groups-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files.merging(["groups": groups], uniquingKeysWith: { $1 }) {
            let file = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("\(text)\n".utf8).write(to: file)
        }
        return ControlGroup(describedIn: folder.appendingPathComponent("groups").path, under: folder.path)
    }

    @Test("the narrowest limit of a group and of those that it is in")
    func nested() throws {
        let group = try Self.group(
            "0::/system.slice/worker",
            [
                "system.slice/cpu.max": "350000 100000", "system.slice/worker/cpu.max": "800000 100000",
                "system.slice/memory.max": "max", "system.slice/worker/memory.max": "8589934592",
                "other/cpu.max": "100000 100000",
            ])
        #expect(group.processors == 3 && group.memoryBytes == 8 << 30)
    }

    @Test("version 1, each controller in a hierarchy of its own")
    func versionOne() throws {
        let group = try Self.group(
            "9:memory:/docker/7\n4:cpu,cpuacct:/docker/7\n1:name=systemd:/x\n0::/",
            [
                "cpu/docker/7/cpu.cfs_quota_us": "50000", "cpu/docker/7/cpu.cfs_period_us": "100000",
                "cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000",
                "memory/docker/7/memory.limit_in_bytes": "1073741824",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            ])
        #expect(group.processors == 1 && group.memoryBytes == 1 << 30, "half a processor is one")
    }

    @Test("in a container that does not see its group's path, the root is its own")
    func container() throws {
        let files = ["cpu.max": "200000 100000", "memory.max": "4096"]
        let group = try Self.group("0::/../../kubepods/pod1", files)
        #expect(group.processors == 2 && group.memoryBytes == 4096)
    }

    @Test(
        "no limit, or none that makes sense",
        arguments: ["max 100000", "-1 100000", "100000", "100000 0", "", "x y", "1 2 3", "99999999999999999999 1"])
    func unlimited(_ text: String) throws {
        let unlimited = "9223372036854771712"
        let group = try Self.group("0::/a", ["a/cpu.max": text, "a/memory.max": "max", "memory.max": unlimited])
        #expect(group.processors == nil && group.memoryBytes == nil)
        #expect(try Self.group(text, ["cpu.max": "100000 100000", "memory.max": "4096"]).processors == nil)
        let nowhere = ControlGroup(describedIn: "/nowhere", under: "/nowhere")
        #expect(nowhere.processors == nil && nowhere.memoryBytes == nil)
    }
}
