/// String keys to values in the order in which they were given, as Python's mappings keep them. Made for the few fields
/// of a message: looking up takes time linear in their number.
package struct TemplateMapping: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    private(set) var fields: [(key: String, value: TemplateValue)] = []

    /// A key given twice keeps its place and takes the last value.
    package init(_ fields: [(key: String, value: TemplateValue)]) {
        for field in fields { self[field.key] = field.value }
    }

    package init(dictionaryLiteral fields: (String, TemplateValue)...) {
        self.init(fields.map { (key: $0.0, value: $0.1) })
    }

    /// The value of `key`, nil where there is none. Keys are equal when their code points are.
    package subscript(key: String) -> TemplateValue? {
        get { index(of: key).map { fields[$0].value } }
        set {
            switch (index(of: key), newValue) {
            case (let index?, let value?): fields[index].value = value
            case (let index?, nil): fields.remove(at: index)
            case (nil, let value?): fields.append((key, value))
            case (nil, nil): break
            }
        }
    }

    package var count: Int { fields.count }

    package static func == (left: TemplateMapping, right: TemplateMapping) -> Bool {
        left.count == right.count && left.fields.allSatisfy { right[$0.key] == $0.value }
    }

    private func index(of key: String) -> Int? {
        fields.firstIndex { $0.key.utf8.elementsEqual(key.utf8) }
    }
}
