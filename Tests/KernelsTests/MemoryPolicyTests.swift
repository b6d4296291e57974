import Foundation
import Kernels
import Synchronization
import Testing

@Suite struct MemoryPolicyTests {
    /// What the system says of memory that a thread has just mapped, such as "default" or "interleave:0"; nil: it does
    /// not tell.
    private static func policy() -> String? {
        let size = 3 << 20
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { return nil }
        defer { munmap(memory, size) }
        memory.storeBytes(of: 1, as: UInt8.self)
        // Neighbours of one policy are one line, which begins at or before the address.
        let text = (try? String(contentsOfFile: "/proc/thread-self/numa_maps", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").last { line in
            (line.split(separator: " ").first.flatMap { UInt($0, radix: 16) } ?? .max) <= UInt(bitPattern: memory)
        }
        return line.flatMap { $0.split(separator: " ").dropFirst().first.map(String.init) }
    }

    @Test("pages come from several nodes by turns while a process runs there, not where it starts another")
    func fits() async throws {
        let seen = await withCheckedContinuation { continuation in
            // A thread of its own: a policy is a thread's.
            Thread.detachNewThread {
                var seen = [Self.policy()]
                MemoryPolicy.fit([0, 1])
                seen.append(Self.policy())
                seen.append(MemoryPolicy.withoutFitting { Self.policy() })
                seen.append(Self.policy())
                MemoryPolicy.fit([0])
                seen.append(Self.policy())
                continuation.resume(returning: seen)
            }
        }
        // Containers may refuse it, and so may a system that was built without NUMA.
        guard let first = seen[0], let second = seen[1], second != first else { return print("no policies: \(seen)") }
        #expect(first == "default" && second.hasPrefix("interleave"))
        #expect(seen == [first, second, first, second, first])
    }
}
