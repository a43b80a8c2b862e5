import ApusEngine
import ApusKernelInterface

/// Activations and other functions of every element.
public enum ElementwiseFamily: Family {
  /// `kbench elementwise`.
  public static let name = "elementwise"
  /// For --help.
  public static let grammar = """
    A problem is FUNCTION:nCOUNT[:OPTION]..., for example gelu:n1048576:backward.
    FUNCTION is add (of two arrays) or one of: \(functions.map(\.description).joined(separator: " ")).
    Options: forward backward (by x), f32 f64. Lengths of 2^14, 2^20 and 2^24 lie in different levels of the caches.
    """
  static var functions: [ElementFunction] { ElementFunction.allCases }
  /// What --direction chooses between.
  public static let choices = [FamilyChoice("direction", ["forward", "backward"])]
  /// Three levels.
  public static let presets = [
    Preset(
      "default",
      ["relu", "add", "tanh", "sigmoid", "gelu", "exp"].flatMap { f in
        [16384, 1_048_576, 16_777_216].map { "\(f):n\($0)" }
      }),
    Preset("all", (ElementFunction.allCases.map(\.description) + ["add"]).map { "\($0):n16384" }),
  ]
  /// None.
  public static let peers: [PeerLibrary] = []
  /// Reads a problem string.
  public static func problem(_ text: String, type: ElementType) throws(ProblemError) -> any Problem {
    let problem = try LayerProblem(
      text, type: type, family: name,
      .init(operations: functions.map(\.description) + ["add"], letters: ["n"], hasBackward: true))
    if problem.operation == "add" && problem.isBackward { throw ProblemError(text, "add has no backward") }
    return problem
  }
}

/// Softmax and its logarithm along rows.
public enum SoftmaxFamily: Family {
  /// `kbench softmax`.
  public static let name = "softmax"
  /// For --help.
  public static let grammar = """
    A problem is softmax or logsoftmax, a colon, nROWScSIZE and options: forward backward f32 f64. Example: softmax:n64c1000
    """
  /// What --direction chooses between.
  public static let choices = [FamilyChoice("direction", ["forward", "backward"])]
  /// Classifiers and attention.
  public static let presets = [
    Preset("default", ["softmax:n64c10", "softmax:n64c1000", "softmax:n512c512", "softmax:n128c32000"])
  ]
  /// None.
  public static let peers: [PeerLibrary] = []
  /// Reads a problem string.
  public static func problem(_ text: String, type: ElementType) throws(ProblemError) -> any Problem {
    try LayerProblem(
      text, type: type, family: name,
      .init(operations: ["softmax", "logsoftmax"], letters: ["n", "c"], hasBackward: true))
  }
}

/// Normalisation.
public enum NormFamily: Family {
  /// `kbench norm`.
  public static let name = "norm"
  /// For --help.
  public static let grammar = """
    A problem is KIND:nBATCHcCHANNELS[pPOSITIONS][:OPTION]..., for example batch:n8c64p12544 or layer:n128c1024.
    KIND is batch (training), layer, rms, instance or group (8 groups); layer and rms have n rows of c elements.
    Options: forward backward, nchw nhwc, f32 f64.
    """
  /// What --direction and --layout choose between.
  public static let choices = [
    FamilyChoice("direction", ["forward", "backward"]), FamilyChoice("layout", ["nchw", "nhwc"]),
  ]
  /// Of networks.
  public static let presets = [
    Preset(
      "default",
      [
        "layer:n32c256", "layer:n128c1024", "layer:n4096c768", "rms:n4096c768", "batch:n64c16p196", "batch:n8c64p12544",
        "batch:n8c256p196", "group:n8c256p196",
      ])
  ]
  /// None.
  public static let peers: [PeerLibrary] = []
  /// Reads a problem string.
  public static func problem(_ text: String, type: ElementType) throws(ProblemError) -> any Problem {
    let problem = try LayerProblem(
      text, type: type, family: name,
      .init(
        operations: ["batch", "layer", "rms", "instance", "group"], letters: ["n", "c", "p"], hasBackward: true,
        hasLayout: true))
    if problem.operation == "group" && problem.size("c") % 8 != 0 {
      throw ProblemError(text, "the 8 groups must divide c")
    }
    if (problem.operation == "layer" || problem.operation == "rms") && problem.size("p") != 1 {
      throw ProblemError(text, "rows have no p")
    }
    return problem
  }
}

/// Losses.
public enum LossFamily: Family {
  /// `kbench loss`.
  public static let name = "loss"
  /// For --help.
  public static let grammar = """
    A problem is ce (softmax cross-entropy with labels), bce, mse, mae, huber or hinge, a colon, nBATCHcCLASSES and options:
    forward (the mean), backward, f32 f64. Example: ce:n64c1000:backward
    """
  /// What --direction chooses between.
  public static let choices = [FamilyChoice("direction", ["forward", "backward"])]
  /// Classifiers and regressions.
  public static let presets = [
    Preset(
      "default", ["ce:n64c10", "ce:n64c1000", "ce:n128c32000", "bce:n1024c1024", "mse:n1024c1024", "huber:n1024c1024"])
  ]
  /// None.
  public static let peers: [PeerLibrary] = []
  /// Reads a problem string.
  public static func problem(_ text: String, type: ElementType) throws(ProblemError) -> any Problem {
    try LayerProblem(
      text, type: type, family: name,
      .init(operations: ["ce", "bce", "mse", "mae", "huber", "hinge"], letters: ["n", "c"], hasBackward: true))
  }
}

/// Updates of parameters.
public enum OptimizerFamily: Family {
  /// `kbench optimizer`.
  public static let name = "optimizer"
  /// For --help.
  public static let grammar = """
    A problem is sgd, momentum, adagrad, rmsprop, adam, adamw or clipadam (norm, then adam with its
    factor), a colon, nPARAMETERS and options: f32 f64. Example: clipadam:n10000000
    """
  /// Ten million parameters.
  public static let presets = [
    Preset(
      "default",
      ["sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw", "clipadam"].map { "\($0):n10000000" } + [
        "adam:n100000"
      ])
  ]
  /// None.
  public static let peers: [PeerLibrary] = []
  /// Reads a problem string.
  public static func problem(_ text: String, type: ElementType) throws(ProblemError) -> any Problem {
    try LayerProblem(
      text, type: type, family: name,
      .init(
        operations: ["sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw", "clipadam"], letters: ["n"],
        hasBackward: false))
  }
}

/// Embedding.
public enum EmbeddingFamily: Family {
  /// `kbench embedding`.
  public static let name = "embedding"
  /// For --help.
  public static let grammar = """
    A problem is lookup:nINDICESrROWSwWIDTH and options: forward backward, f32 f64. Example: lookup:n4096r50000w512:backward
    """
  /// What --direction chooses between.
  public static let choices = [FamilyChoice("direction", ["forward", "backward"])]
  /// Words and characters.
  public static let presets = [Preset("default", ["lookup:n4096r50000w512", "lookup:n512r256w128"])]
  /// None.
  public static let peers: [PeerLibrary] = []
  /// Reads a problem string.
  public static func problem(_ text: String, type: ElementType) throws(ProblemError) -> any Problem {
    try LayerProblem(
      text, type: type, family: name,
      .init(operations: ["lookup"], letters: ["n", "r", "w"], hasBackward: true))
  }
}
