import Foundation
import Testing

@Suite struct SystemdUnitsTests {
    /// What the script says where it cannot check.
    static let verification = Result { try ShellScript("scripts/verify-units.sh") }
    static var isSkipped: Bool { (try? verification.get().status) == 77 }

    @Test(
        "systemd-analyze finds nothing in the units",
        .disabled(if: isSkipped, "systemd-analyze is not installed"))
    func clean() throws {
        let result = try Self.verification.get()
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(
        "the check fails for a unit with a key that systemd does not know",
        .disabled(if: isSkipped, "systemd-analyze is not installed"))
    func broken() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("units-\(UUID().uuidString)")
        try FileManager.default.copyItem(
            at: URL(fileURLWithPath: Fixtures.path("systemd")).resolvingSymlinksInPath(), to: folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        let unit = folder.appendingPathComponent("cohort-worker@.service")
        let text = try String(contentsOf: unit, encoding: .utf8)
        try text.replacingOccurrences(of: "RestartSec=", with: "RestartSeconds=").write(
            to: unit, atomically: true, encoding: .utf8)
        let result = try ShellScript("scripts/verify-units.sh", folder.path)
        #expect(result.status == 1 && result.output.contains("RestartSeconds"), "\(result.output)")
    }

    @Test("both units tell systemd when they are ready, and come back after a failure")
    func keys() throws {
        for name in ["cohort-coordinator.service", "cohort-worker@.service"] {
            let lines = try String(contentsOfFile: Fixtures.path("systemd/\(name)"), encoding: .utf8)
                .split(separator: "\n")
            for line in ["Type=notify", "NotifyAccess=main", "Restart=always", "LimitMEMLOCK=infinity"] {
                #expect(lines.contains(Substring(line)), "\(name): \(line)")
            }
        }
    }
}
