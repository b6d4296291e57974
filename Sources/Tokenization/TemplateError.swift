/// What is wrong with a template, before its file is known.
struct TemplateError: Error, Equatable {
    let line: Int
    let what: String
}
