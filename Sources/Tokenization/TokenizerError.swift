/// What is wrong with a tokenizer file, a chat template or a text given to them, where, and how to mend it.
package struct TokenizerError: Error, Equatable, CustomStringConvertible {
    package let file: String
    /// 1-based line inside `file`, for templates.
    package let line: Int?
    package let what: String
    package let mend: String

    package init(file: String, line: Int? = nil, what: String, mend: String) {
        self.file = file
        self.line = line
        self.what = what
        self.mend = mend
    }

    package var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        return "\(place): \(what); \(mend)"
    }
}
