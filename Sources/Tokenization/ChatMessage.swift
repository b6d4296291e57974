/// One message of a chat, as the published templates take it.
package struct ChatMessage: Sendable, Equatable {
    package enum Role: String, Sendable, CaseIterable {
        case system, user, assistant, tool
    }

    /// A call that the assistant asked for; `arguments` is JSON text.
    package struct ToolCall: Sendable, Equatable {
        package let type: String
        package let name: String
        package let arguments: String

        package init(type: String = "function", name: String, arguments: String) {
            self.type = type
            self.name = name
            self.arguments = arguments
        }
    }

    package let role: Role
    /// None where an assistant only calls tools.
    package let content: String?
    /// None where the message has no such field, which templates tell from an empty list.
    package let toolCalls: [ToolCall]?

    package init(role: Role, content: String?, toolCalls: [ToolCall]? = nil) {
        self.role = role
        self.content = content
        self.toolCalls = toolCalls
    }

    var templateValue: TemplateValue {
        var fields: TemplateMapping = [
            "role": .string(role.rawValue), "content": content.map(TemplateValue.string) ?? .none,
        ]
        if let toolCalls { fields["tool_calls"] = .list(toolCalls.map(\.templateValue)) }
        return .mapping(fields)
    }
}

extension ChatMessage.ToolCall {
    fileprivate var templateValue: TemplateValue {
        .mapping([
            "type": .string(type),
            "function": .mapping(["name": .string(name), "arguments": .string(arguments)]),
        ])
    }
}
