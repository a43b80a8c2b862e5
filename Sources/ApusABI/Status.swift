// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import ApusShims
import CApus

/// Runs `body`; turns what it throws into a status, and keeps the message for `apus_last_error`.
@inline(__always)
func status(_ body: () throws(ApusError) -> Void) -> apus_status {
  do throws(ApusError) {
    try body()
    return apus_status(APUS_OK)
  } catch {
    return failed(error)
  }
}

@inline(never)
private func failed(_ error: ApusError) -> apus_status {
  error.message.withCString { apus_error_set($0) }
  return error.status.rawValue
}

@c(apus_last_error) @implementation
public func apus_last_error() -> UnsafePointer<CChar>? { apus_error_get() }

@c(apus_status_name) @implementation
public func apus_status_name(_ status: apus_status) -> UnsafePointer<CChar>? {
  let name: StaticString =
    switch Status(rawValue: status) {
    case .ok: "APUS_OK"
    case .invalidArgument: "APUS_ERROR_INVALID_ARGUMENT"
    case .outOfMemory: "APUS_ERROR_OUT_OF_MEMORY"
    case .unsupported: "APUS_ERROR_UNSUPPORTED"
    case .mismatch: "APUS_ERROR_MISMATCH"
    case .backend: "APUS_ERROR_BACKEND"
    case nil: "APUS_ERROR_UNKNOWN"
    }
  return staticText(name)
}

@c(apus_version) @implementation
public func apus_version() -> Int32 { APUS_VERSION_MAJOR * 1_000_000 + APUS_VERSION_MINOR * 1000 + APUS_VERSION_PATCH }

/// A literal's bytes, which live as long as the process and end with a zero.
func staticText(_ text: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

/// A text of any length into a caller's buffer, cut to its capacity, with a closing zero.
func describe(
  _ description: String, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) throws(ApusError) {
  if text == nil && capacity > 0 { throw .invalid("text", "NULL", "it must have room for \(capacity) bytes") }
  var description = description
  description.withUTF8 { utf8 in
    needed?.pointee = utf8.count + 1
    guard let text, capacity > 0 else { return }
    let count = min(utf8.count, capacity - 1)
    for i in 0..<count { text[i] = CChar(bitPattern: utf8[i]) }
    text[count] = 0
  }
}
