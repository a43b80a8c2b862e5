// The header documents these functions and names their parameters.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation, AlwaysUseLowerCamelCase

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
    let given = try checked(options)
    context.pointee = handle(
      try ExecutionContext(
        instructionSet: given.instructionSet, backend: given.backend, threads: given.threads,
        lingerMicroseconds: given.lingerMicroseconds))
  }
}

@c(apus_context_create_host) @implementation
public func apus_context_create_host(
  _ options: UnsafePointer<apus_context_options>?, _ parallel_for: apus_parallel_for_fn?,
  _ user: UnsafeMutableRawPointer?, _ context: UnsafeMutablePointer<OpaquePointer?>?
) -> apus_status {
  status { () throws(ApusError) in
    guard let context else { throw .invalid("context", "NULL", "it must point to where the handle goes") }
    guard let parallel_for else { throw .invalid("parallel_for", "NULL", "it must be the host's callback") }
    let given = try checked(options)
    if let backend = given.backend, backend != .host {
      throw .invalid("options->backend", backend.name, "it must be host, or APUS_BACKEND_DEFAULT, here")
    }
    context.pointee = handle(
      try ExecutionContext(
        instructionSet: given.instructionSet, threads: given.threads, parallelFor: parallel_for, user: user))
  }
}

/// The caller's options, nil where the default is asked for. NULL asks for all defaults.
private func checked(_ options: UnsafePointer<apus_context_options>?) throws(ApusError) -> (
  instructionSet: InstructionSet?, backend: ThreadingBackend?, threads: Int?, lingerMicroseconds: Int?
) {
  guard let options else { return (nil, nil, nil, nil) }
  let given = try require(options, "options") { $0.struct_size }.pointee
  if given.threads < 0 { throw .invalid("threads", given.threads, "it must be at least 1, or 0 for the default") }
  if given.linger_us < -1 || given.linger_us > Int32(ExecutionContext.maximumLinger) {
    throw .invalid(
      "linger_us", given.linger_us, "it must be 0 to \(ExecutionContext.maximumLinger), or -1 for the default")
  }
  return (
    given.isa == Int32(APUS_ISA_DEFAULT) ? nil : try require(given.isa, "isa", InstructionSet.self),
    given.backend == Int32(APUS_BACKEND_DEFAULT) ? nil : try require(given.backend, "backend", ThreadingBackend.self),
    given.threads == 0 ? nil : Int(given.threads), given.linger_us == -1 ? nil : Int(given.linger_us)
  )
}

@c(apus_context_get_info) @implementation
public func apus_context_get_info(
  _ context: OpaquePointer?, _ info: UnsafeMutablePointer<apus_context_info>?
) -> apus_status {
  status { () throws(ApusError) in
    let context = try ExecutionContext.from(context)
    _ = try require(UnsafePointer(info), "info") { $0.struct_size }
    guard let info else { return }
    info.pointee.isa = context.instructionSet.rawValue
    info.pointee.backend = context.backend.rawValue
    info.pointee.threads = Int32(context.threads)
    info.pointee.linger_us = Int32(context.lingerMicroseconds)
    info.pointee.effective_threads = Int32(context.effectiveThreads)
    info.pointee.isa_available = InstructionSet.available.reduce(0) { $0 | 1 << $1.rawValue }
  }
}

@c(apus_isa_name) @implementation
public func apus_isa_name(_ isa: Int32) -> UnsafePointer<CChar>? {
  staticText(InstructionSet(rawValue: isa)?.staticName ?? "unknown")
}

@c(apus_backend_name) @implementation
public func apus_backend_name(_ backend: Int32) -> UnsafePointer<CChar>? {
  staticText(ThreadingBackend(rawValue: backend)?.staticName ?? "unknown")
}

@c(apus_context_destroy) @implementation
public func apus_context_destroy(_ context: OpaquePointer?) { release(context) }
