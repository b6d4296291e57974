/// A cluster secret that cannot be used.
package struct ClusterSecretError: Error, Equatable, CustomStringConvertible {
    /// The file, or what else the secret came from.
    package let source: String
    package let what: String
    package let mend: String

    package var description: String { "\(source): \(what); \(mend)" }
}
