/// Recurrent layers of oneDNN's version 3.
extension OneDNN {
  /// Layers as oneDNN takes them; states before the first step are zero.
  struct RecurrentShape {
    /// oneDNN's words for cells.
    enum Cell: String {
      case tanh, relu
      case lstm
      case resetBefore = "gru"
      case resetAfter = "lbr_gru"

      /// Of the function's name.
      fileprivate var word: String { self == .tanh || self == .relu ? "vanilla_rnn" : rawValue }
      /// dnnl_eltwise_relu and dnnl_eltwise_tanh.
      fileprivate var activation: Int32 { self == .relu ? 0x20 : 0x21 }
    }
    var cell: Cell
    /// 1: forward, 2: reverse, 3: both side by side, 4: both added.
    var direction: Int32
    var source: Layout
    var weights: Layout
    var recurrent: Layout
    var bias: Layout?
    var destination: Layout
  }

  /// Plans the way forward; in training it fills a workspace.
  func recurrent(_ shape: RecurrentShape, trains: Bool) throws(PeerError) -> Primitive {
    typealias Place = UnsafeMutablePointer<Object?>
    typealias D = Description?
    let name = "dnnl_\(shape.cell.word)_forward_primitive_desc_create"
    let engine = try start().engine
    let (x, w, u, b, y) = (
      shape.source.pointer, shape.weights.pointer, shape.recurrent.pointer, shape.bias?.pointer,
      shape.destination.pointer
    )
    // What the primitive does without.
    let none: D = nil
    // 64: for training, 96: for inference.
    let kind: Int32 = trains ? 64 : 96
    var plan: Object?
    switch shape.cell {
    case .lstm:
      typealias Make =
        @convention(c) (Place, Object, Int32, Int32, D, D, D, D, D, D, D, D, D, D, D, UInt32, Object?) -> Int32
      let make: Make = try Self.function(handle, name)
      try succeed(
        make(
          &plan, engine, kind, shape.direction, x, none, none, w, u, none, none, b, y, none, none, 0, nil),
        "this problem")
    case .resetBefore, .resetAfter:
      typealias Make = @convention(c) (Place, Object, Int32, Int32, D, D, D, D, D, D, D, UInt32, Object?) -> Int32
      let make: Make = try Self.function(handle, name)
      try succeed(
        make(&plan, engine, kind, shape.direction, x, none, w, u, b, y, none, 0, nil), "this problem")
    case .tanh, .relu:
      typealias Make =
        @convention(c) (
          Place, Object, Int32, Int32, Int32, D, D, D, D, D, D, D, UInt32, Float, Float, Object?
        ) -> Int32
      let make: Make = try Self.function(handle, name)
      try succeed(
        make(
          &plan, engine, kind, shape.cell.activation, shape.direction, x, none, w, u, b, y, none, 0, 0, 0, nil),
        "this problem")
    }
    guard let plan else { throw PeerError("oneDNN makes no primitive") }
    return try Primitive(plan: plan, self)
  }

  /// Plans the way back; gradients have the layouts of what they belong to, and overwrite.
  func recurrentBackward(_ shape: RecurrentShape, hint: Primitive) throws(PeerError) -> Primitive {
    typealias Place = UnsafeMutablePointer<Object?>
    typealias D = Description?
    let name = "dnnl_\(shape.cell.word)_backward_primitive_desc_create"
    let engine = try start().engine
    let (x, w, u, b, y) = (
      shape.source.pointer, shape.weights.pointer, shape.recurrent.pointer, shape.bias?.pointer,
      shape.destination.pointer
    )
    // What the primitive does without.
    let none: D = nil
    // dnnl_backward; dnnl_rnn_flags_diff_weights_overwrite.
    let kind: Int32 = 128
    let flags: UInt32 = 1
    var plan: Object?
    switch shape.cell {
    case .lstm:
      typealias Make =
        @convention(c) (
          Place, Object, Int32, Int32, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, UInt32,
          Object?,
          Object?
        ) -> Int32
      let make: Make = try Self.function(handle, name)
      try succeed(
        make(
          &plan, engine, kind, shape.direction, x, none, none, w, u, none, none, b, y, none, none, x, none, none, w, u,
          none, none, b, y, none, none, flags, hint.plan, nil), "this problem")
    case .resetBefore, .resetAfter:
      typealias Make =
        @convention(c) (
          Place, Object, Int32, Int32, D, D, D, D, D, D, D, D, D, D, D, D, D, D, UInt32, Object?, Object?
        ) -> Int32
      let make: Make = try Self.function(handle, name)
      try succeed(
        make(
          &plan, engine, kind, shape.direction, x, none, w, u, b, y, none, x, none, w, u, b, y, none, flags, hint.plan,
          nil), "this problem")
    case .tanh, .relu:
      typealias Make =
        @convention(c) (
          Place, Object, Int32, Int32, Int32, D, D, D, D, D, D, D, D, D, D, D, D, D, D, UInt32, Float, Float, Object?,
          Object?
        ) -> Int32
      let make: Make = try Self.function(handle, name)
      try succeed(
        make(
          &plan, engine, kind, shape.cell.activation, shape.direction, x, none, w, u, b, y, none, x, none, w, u, b, y,
          none, flags, 0, 0, hint.plan, nil), "this problem")
    }
    guard let plan else { throw PeerError("oneDNN makes no primitive") }
    return try Primitive(plan: plan, self)
  }
}
