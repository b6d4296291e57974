/// A word of a template, and the line it stands on.
struct TemplateToken: Equatable {
    enum Kind: Equatable {
        case text(String)
        case outputStart, outputEnd
        case blockStart, blockEnd
        case name(String)
        case string(String)
        case integer(Int)
        case symbol(String)
        case end
    }

    let kind: Kind
    let line: Int
}
