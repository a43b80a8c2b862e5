// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

import ApusEngine
import CApus

@c(apus_set_verbose_callback) @implementation
public func apus_set_verbose_callback(
  _ callback: apus_verbose_fn?, _ user: UnsafeMutableRawPointer?
) -> apus_status {
  guard let callback else {
    Verbose.set(handler: nil)
    return apus_status(APUS_OK)
  }
  // The caller vouches for its own pointer: the callback may come from any thread.
  nonisolated(unsafe) let user = user
  Verbose.set { record in
    record.problem.withCString { problem in
      record.description.withCString { description in
        var c = apus_verbose_record()
        c.struct_size = MemoryLayout<apus_verbose_record>.size
        c.event = staticText(record.event)
        c.operation = staticText(record.operation)
        c.problem = problem
        c.description = description
        c.isa = record.instructionSet.rawValue
        c.backend = record.backend.rawValue
        c.threads = Int32(record.threads)
        c.microseconds = record.microseconds
        callback(user, &c)
      }
    }
  }
  return apus_status(APUS_OK)
}

@c(apus_self_test) @implementation
public func apus_self_test() -> apus_status {
  status { () throws(ApusError) in try SelfTest.run() }
}

@c(apus_trim) @implementation
public func apus_trim() { Memory.trim() }
