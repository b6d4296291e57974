internal import Foundation

/// The files and connections that this process may have open at once.
enum OpenFiles {
    /// Raises the limit as far as the system allows. What shells give is made for programs that open few: a server that
    /// has reached it answers nobody until others leave. A system that refuses is obeyed.
    static func raiseLimit() {
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(kind, &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(kind, &limit)
    }
}
