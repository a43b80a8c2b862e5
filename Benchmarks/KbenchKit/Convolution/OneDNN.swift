import Foundation

/// The functions of oneDNN's C interface that a comparison needs, in versions 2 and 3, without its headers.
///
/// Between the two versions the numbers used here and most signatures are the same. What differs are descriptions: version
/// 3 makes them and hands out a pointer, version 2 fills in a struct of the caller's. Nothing here looks into that struct,
/// so a block of memory that is large enough stands in for it.
final class OneDNN {
  /// What is passed as a const pointer in both versions.
  typealias Description = UnsafeRawPointer
  typealias Object = UnsafeMutableRawPointer
  typealias Numbers = UnsafePointer<Int64>

  /// The peers of a comparison: both manners of one library.
  static let known = ["any", "plain"].map { manner in
    PeerLibrary(
      name: manner == "any" ? "oneDNN" : "oneDNN-plain", paths: ["libdnnl.so.3", "libdnnl.so.2", "libdnnl.so"],
      symbol: "dnnl_version", manner: manner, howToInstall: "Debian: apt-get install libdnnl-dev")
  }

  /// Reads `NAME=PATH[:any|plain]`.
  static func library(_ text: String) throws(ProblemError) -> PeerLibrary {
    let words = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    var path = words.count > 1 ? words[1] : ""
    var manner = "any"
    if let colon = path.lastIndex(of: ":") {
      manner = String(path[path.index(after: colon)...])
      path = String(path[..<colon])
    }
    guard !words[0].isEmpty, words[0] != Comparison.own, !path.isEmpty, manner == "any" || manner == "plain" else {
      throw ProblemError("--library \(text)", "it must be NAME=PATH, NAME=PATH:any or NAME=PATH:plain")
    }
    return PeerLibrary(
      name: words[0], paths: [path], symbol: "dnnl_version", manner: manner,
      howToInstall: "give --library a path that exists")
  }

  /// Begins `dnnl_version_t` in all versions.
  private struct Version {
    var major: Int32
    var minor: Int32
    var patch: Int32
    var hash: UnsafePointer<CChar>?
    var cpuRuntime: UInt32
  }

  /// dnnl_exec_arg_t.
  private struct Argument {
    var number: Int32
    var memory: Object?
  }

  /// Arguments of a primitive by oneDNN's numbers.
  enum Role: Int32 {
    case source = 1
    case destination = 17
    case weights = 33
    case recurrentWeights = 34
    case bias = 41
    case workspace = 64
    case sourceGradient = 129
    case destinationGradient = 145
    case weightsGradient = 161
    case recurrentGradient = 162
    case biasGradient = 169
  }

  /// "3.2.0".
  let version: String
  let handle: Object
  let major: Int32
  private var engine: Object?
  private var stream: Object?

  /// Throws for a library that is none of the known versions, and for one that does not run on OpenMP's threads: their
  /// number is what kbench can set.
  init(_ library: LoadedLibrary) throws(PeerError) {
    handle = library.handle
    typealias Query = @convention(c) () -> UnsafeRawPointer?
    let query: Query = try Self.function(library.handle, "dnnl_version")
    guard let found = query()?.load(as: Version.self) else { throw PeerError("dnnl_version says nothing") }
    major = found.major
    version = "\(found.major).\(found.minor).\(found.patch)"
    guard (2...3).contains(major) else {
      throw PeerError("a libdnnl \(version) was, but kbench knows versions 2 and 3")
    }
    guard found.cpuRuntime == 1 || found.cpuRuntime == 2 else {
      throw PeerError(
        "a libdnnl \(version) was, but one whose threads are not OpenMP's: kbench cannot set their number")
    }
  }

  deinit {
    destroy("dnnl_stream_destroy", stream)
    destroy("dnnl_engine_destroy", engine)
  }

  /// A CPU engine and its stream, made once.
  func start() throws(PeerError) -> (engine: Object, stream: Object) {
    if let engine, let stream { return (engine, stream) }
    typealias MakeEngine = @convention(c) (UnsafeMutablePointer<Object?>, Int32, Int) -> Int32
    typealias MakeStream = @convention(c) (UnsafeMutablePointer<Object?>, Object?, UInt32) -> Int32
    let makeEngine: MakeEngine = try Self.function(handle, "dnnl_engine_create")
    let makeStream: MakeStream = try Self.function(handle, "dnnl_stream_create")
    // 1: a CPU; then: in order.
    try succeed(makeEngine(&engine, 1, 0), "an engine")
    try succeed(makeStream(&stream, engine, 1), "a stream")
    guard let engine, let stream else { throw PeerError("oneDNN makes no engine") }
    return (engine, stream)
  }

  static func function<F>(_ handle: Object, _ name: String) throws(PeerError) -> F {
    guard let function = dlsym(handle, name) else { throw PeerError("it has no \(name)") }
    return unsafeBitCast(function, to: F.self)
  }

  func succeed(_ status: Int32, _ what: String) throws(PeerError) {
    if status == 0 { return }
    let names = [1: "out of memory", 2: "invalid arguments", 3: "unimplemented", 5: "run time error"]
    throw PeerError("oneDNN refuses \(what): \(names[Int(status)] ?? "status \(status)")")
  }

  private func destroy(_ name: String, _ object: Object?) {
    typealias Destroy = @convention(c) (Object?) -> Int32
    guard let object, let destroy: Destroy = try? Self.function(handle, name) else { return }
    _ = destroy(object)
  }
}

extension OneDNN {
  /// Shape and order of a tensor.
  final class Layout {
    let pointer: Description
    private let library: OneDNN

    fileprivate init(_ pointer: Description, _ library: OneDNN) {
      self.pointer = pointer
      self.library = library
    }

    deinit {
      if library.major == 2 {
        pointer.deallocate()
      } else {
        library.destroy("dnnl_memory_desc_destroy", Object(mutating: pointer))
      }
    }
  }

  /// A float32 tensor; without strides oneDNN chooses the order.
  func layout(_ sizes: [Int], strides: [Int]?) throws(PeerError) -> Layout {
    // dnnl_dims_t has room for 12 numbers.
    func padded(_ numbers: [Int]) -> [Int64] { (0..<12).map { $0 < numbers.count ? Int64(numbers[$0]) : 0 } }
    typealias ByStrides = @convention(c) (Object, Int32, Numbers, Int32, Numbers) -> Int32
    typealias ByTag = @convention(c) (Object, Int32, Numbers, Int32, Int32) -> Int32
    let verb = major == 2 ? "init_by" : "create_with"
    let byStrides: ByStrides = try Self.function(handle, "dnnl_memory_desc_\(verb)_strides")
    let byTag: ByTag = try Self.function(handle, "dnnl_memory_desc_\(verb)_tag")
    // dnnl_memory_desc_t of version 2 has under 1 KB; version 3 writes a pointer.
    let place = Object.allocate(byteCount: 8192, alignment: 16)
    place.initializeMemory(as: UInt8.self, repeating: 0, count: 8192)
    // 3: float32; 1: any order.
    let status =
      if let strides {
        byStrides(place, Int32(sizes.count), padded(sizes), 3, padded(strides))
      } else {
        byTag(place, Int32(sizes.count), padded(sizes), 3, 1)
      }
    if major == 2 && status == 0 { return Layout(Description(place), self) }
    defer { place.deallocate() }
    try succeed(status, "a tensor's description")
    return Layout(place.load(as: Description.self), self)
  }

  /// Memory of a layout.
  final class Memory {
    fileprivate let object: Object
    private let library: OneDNN

    fileprivate init(_ object: Object, _ library: OneDNN) {
      self.object = object
      self.library = library
    }

    deinit { library.destroy("dnnl_memory_destroy", object) }
  }

  /// The caller's memory in a layout; nil for oneDNN's own.
  func memory(_ layout: Description, _ data: Object?) throws(PeerError) -> Memory {
    typealias Make = @convention(c) (UnsafeMutablePointer<Object?>, Description, Object, Object?) -> Int32
    let make: Make = try Self.function(handle, "dnnl_memory_create")
    var object: Object?
    // -1: to be allocated.
    try succeed(make(&object, layout, start().engine, data ?? Object(bitPattern: -1)), "memory")
    guard let object else { throw PeerError("oneDNN makes no memory") }
    return Memory(object, self)
  }

  /// An operation that is ready to run.
  final class Primitive {
    /// Of `dnnl_primitive_desc_create` and its like.
    let plan: Object
    fileprivate let object: Object
    private let library: OneDNN
    private let stream: Object
    private let execute: @convention(c) (Object, Object, Int32, UnsafeRawPointer) -> Int32
    private let wait: @convention(c) (Object) -> Int32
    private var arguments: [Argument] = []
    private var memories: [Memory] = []

    init(plan: Object, _ library: OneDNN) throws(PeerError) {
      self.plan = plan
      self.library = library
      stream = try library.start().stream
      execute = try OneDNN.function(library.handle, "dnnl_primitive_execute")
      wait = try OneDNN.function(library.handle, "dnnl_stream_wait")
      typealias Make = @convention(c) (UnsafeMutablePointer<Object?>, Object) -> Int32
      let make: Make = try OneDNN.function(library.handle, "dnnl_primitive_create")
      var object: Object?
      try library.succeed(make(&object, plan), "the primitive")
      guard let object else { throw PeerError("oneDNN makes no primitive") }
      self.object = object
    }

    deinit {
      library.destroy("dnnl_primitive_destroy", object)
      library.destroy("dnnl_primitive_desc_destroy", plan)
    }

    /// The order that an argument must have.
    func layout(_ role: Role) throws(PeerError) -> Description {
      typealias Query = @convention(c) (Object, Int32, Int32) -> Description?
      let query: Query = try OneDNN.function(library.handle, "dnnl_primitive_desc_query_md")
      // 255: of an argument of the execution.
      guard let layout = query(plan, 255, role.rawValue) else { throw PeerError("oneDNN has no \(role)") }
      return layout
    }

    /// Name of oneDNN's implementation.
    var implementation: String {
      typealias Query = @convention(c) (Object, Int32, Int32, UnsafeMutablePointer<UnsafePointer<CChar>?>) -> Int32
      var name: UnsafePointer<CChar>?
      guard let query: Query = try? OneDNN.function(library.handle, "dnnl_primitive_desc_query"),
        query(plan, 8, 0, &name) == 0, let name
      else { return "" }
      return String(cString: name)
    }

    func bind(_ role: Role, _ memory: Memory) {
      arguments.append(Argument(number: role.rawValue, memory: memory.object))
      memories.append(memory)
    }

    func run() throws(PeerError) {
      var status = arguments.withUnsafeBufferPointer { list -> Int32 in
        guard let first = list.baseAddress else { return 2 }
        return execute(object, stream, Int32(list.count), UnsafeRawPointer(first))
      }
      if status == 0 { status = wait(stream) }
      try library.succeed(status, "to run")
    }
  }

  /// Copies between orders.
  func reorder(_ source: Memory, _ from: Description, to destination: Memory, _ to: Description) throws(PeerError) {
    typealias Make =
      @convention(c) (UnsafeMutablePointer<Object?>, Description, Object, Description, Object, Object?) -> Int32
    let make: Make = try Self.function(handle, "dnnl_reorder_primitive_desc_create")
    let engine = try start().engine
    var plan: Object?
    try succeed(make(&plan, from, engine, to, engine, nil), "a reorder")
    guard let plan else { throw PeerError("oneDNN makes no reorder") }
    let primitive = try Primitive(plan: plan, self)
    primitive.bind(.source, source)
    primitive.bind(.destination, destination)
    try primitive.run()
  }
}

extension OneDNN {
  /// A convolution as oneDNN takes it: its dilation counts what is left out between taps.
  struct Shape {
    var isTransposed: Bool
    var allowsWinograd: Bool
    var source: Layout
    var weights: Layout
    var bias: Layout?
    var destination: Layout
    var strides: [Int64]
    var dilations: [Int64]
    var padBefore: [Int64]
    var padAfter: [Int64]

    /// 1: direct, 3: the library's choice, which may be Winograd; 10: a transposed one's direct.
    fileprivate var algorithm: Int32 { isTransposed ? 10 : allowsWinograd ? 3 : 1 }
  }

  /// What is computed.
  enum Direction: String {
    case forward
    case data = "backward_data"
    case weights = "backward_weights"
  }

  /// Plans a convolution; backward ones take the forward one as a hint.
  func convolution(_ shape: Shape, _ direction: Direction, hint: Primitive?) throws(PeerError) -> Primitive {
    typealias Place = UnsafeMutablePointer<Object?>
    let kind = shape.isTransposed ? "deconvolution" : "convolution"
    let engine = try start().engine
    let (x, w, b, y) = (shape.source.pointer, shape.weights.pointer, shape.bias?.pointer, shape.destination.pointer)
    let (strides, dilations, before, after) = (shape.strides, shape.dilations, shape.padBefore, shape.padAfter)
    let algorithm = shape.algorithm
    var plan: Object?
    // 64: forward, for training.
    if major == 3 {
      let name = "dnnl_\(kind)_\(direction.rawValue)_primitive_desc_create"
      switch direction {
      case .forward:
        typealias Make =
          @convention(c) (
            Place, Object, Int32, Int32, Description, Description, Description?, Description, Numbers, Numbers, Numbers,
            Numbers, Object?
          ) -> Int32
        let make: Make = try Self.function(handle, name)
        try succeed(
          make(&plan, engine, 64, algorithm, x, w, b, y, strides, dilations, before, after, nil), "this problem")
      case .data:
        typealias Make =
          @convention(c) (
            Place, Object, Int32, Description, Description, Description, Numbers, Numbers, Numbers, Numbers, Object?,
            Object?
          ) -> Int32
        let make: Make = try Self.function(handle, name)
        try succeed(
          make(&plan, engine, algorithm, x, w, y, strides, dilations, before, after, hint?.plan, nil), "this problem")
      case .weights:
        typealias Make =
          @convention(c) (
            Place, Object, Int32, Description, Description, Description?, Description, Numbers, Numbers, Numbers,
            Numbers, Object?, Object?
          ) -> Int32
        let make: Make = try Self.function(handle, name)
        try succeed(
          make(&plan, engine, algorithm, x, w, b, y, strides, dilations, before, after, hint?.plan, nil),
          "this problem")
      }
    } else {
      let name = "dnnl_dilated_\(kind)_\(direction.rawValue)_desc_init"
      // dnnl_convolution_desc_t holds a handful of dnnl_memory_desc_t.
      let operation = Object.allocate(byteCount: 65536, alignment: 16)
      operation.initializeMemory(as: UInt8.self, repeating: 0, count: 65536)
      defer { operation.deallocate() }
      switch direction {
      case .forward:
        typealias Make =
          @convention(c) (
            Object, Int32, Int32, Description, Description, Description?, Description, Numbers, Numbers, Numbers,
            Numbers
          ) -> Int32
        let make: Make = try Self.function(handle, name)
        try succeed(make(operation, 64, algorithm, x, w, b, y, strides, dilations, before, after), "this problem")
      case .data:
        typealias Make =
          @convention(c) (
            Object, Int32, Description, Description, Description, Numbers, Numbers, Numbers, Numbers
          ) -> Int32
        let make: Make = try Self.function(handle, name)
        try succeed(make(operation, algorithm, x, w, y, strides, dilations, before, after), "this problem")
      case .weights:
        typealias Make =
          @convention(c) (
            Object, Int32, Description, Description, Description?, Description, Numbers, Numbers, Numbers, Numbers
          ) -> Int32
        let make: Make = try Self.function(handle, name)
        try succeed(make(operation, algorithm, x, w, b, y, strides, dilations, before, after), "this problem")
      }
      typealias Plan = @convention(c) (Place, Object, Object?, Object, Object?) -> Int32
      let make: Plan = try Self.function(handle, "dnnl_primitive_desc_create")
      try succeed(make(&plan, operation, nil, engine, hint?.plan), "this problem")
    }
    guard let plan else { throw PeerError("oneDNN makes no primitive") }
    return try Primitive(plan: plan, self)
  }
}
