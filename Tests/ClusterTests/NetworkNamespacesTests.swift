import Testing

/// The script's refusals; its run with real processes is tested where these are.
@Suite struct NetworkNamespacesTests {
    @Test("the script says how it is used, and refuses what is not there")
    func refusals() throws {
        let script = "scripts/netns-cluster.sh"
        let help = try ShellScript(script, "--help")
        #expect(help.status == 0 && help.output.hasPrefix("usage: scripts/netns-cluster.sh"))
        let missing = try ShellScript(script)
        #expect(missing.status == 64 && missing.output.contains("COHORT and MODEL are needed"))
        let unknown = try ShellScript(script, "--colour", "red")
        #expect(unknown.status == 64 && unknown.output.contains("unknown option --colour"))
        let program = try ShellScript(script, "/nowhere/cohort", "/")
        #expect(program.status == 66 && program.output.contains("/nowhere/cohort is no program"))
        let folder = try ShellScript(script, "/bin/sh", "/nowhere/model")
        #expect(folder.status == 66 && folder.output.contains("/nowhere/model is no folder"))
    }

    @Test("a worker that was to be cut off and was not is a failure")
    func uncut() throws {
        let run = try ShellScript("scripts/netns-cluster.sh", "--cut", "2", "/bin/true", "/")
        guard run.status != 77 else { return print("a worker that was not cut off: \(run.output)") }
        #expect(run.status == 1 && run.output.contains("before worker 2 could be cut off"), "\(run.output)")
    }
}
