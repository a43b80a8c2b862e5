import ApusEngine
import CApus

@c(apus_context_options_init) @implementation
public func apus_context_options_init(_ options: UnsafeMutablePointer<apus_context_options>?) -> apus_status {
  status { () throws(ApusError) in
    guard let options else { throw .invalid("options", "NULL", "it must point to a struct") }
    options.pointee = apus_context_options()
    options.pointee.struct_size = MemoryLayout<apus_context_options>.size
    options.pointee.linger_us = -1
  }
}

@c(apus_context_create) @implementation
public func apus_context_create(
  _ options: UnsafePointer<apus_context_options>?, _ context: UnsafeMutablePointer<OpaquePointer?>?
) -> apus_status {
  status { () throws(ApusError) in
    guard let context else { throw .invalid("context", "NULL", "it must point to where the handle goes") }
    guard let options else {
      context.pointee = handle(try ExecutionContext())
      return
    }
    let given = try require(options, "options") { $0.struct_size }.pointee
    if given.threads < 0 { throw .invalid("threads", given.threads, "it must be at least 1, or 0 for the default") }
    if given.linger_us < -1 || given.linger_us > 10_000 {
      throw .invalid("linger_us", given.linger_us, "it must be 0 to 10000, or -1 for the default")
    }
    context.pointee = handle(
      try ExecutionContext(
        instructionSet: given.isa == APUS_ISA_DEFAULT ? nil : require(given.isa, "isa", InstructionSet.self),
        backend: given.backend == APUS_BACKEND_DEFAULT
          ? nil : require(given.backend, "backend", ThreadingBackend.self),
        threads: given.threads == 0 ? nil : Int(given.threads),
        lingerMicroseconds: given.linger_us == -1 ? nil : Int(given.linger_us)))
  }
}

@c(apus_context_destroy) @implementation
public func apus_context_destroy(_ context: OpaquePointer?) { release(context) }
