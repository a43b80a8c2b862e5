// swift-tools-version: 6.2
import PackageDescription

// APUS_PORTABLE=1 in the environment builds without any x86 shim: the code that arm64 takes, on any machine.
let portable = Context.environment["APUS_PORTABLE"] != nil
#if arch(x86_64)
  let x86 = !portable
#else
  let x86 = false
#endif

let warningsAreErrors: [SwiftSetting] = [.treatAllWarnings(as: .error)]
let portableC: [CSetting] = portable ? [.define("APUS_PORTABLE")] : []
let portableSwift: [SwiftSetting] =
  portable ? [.define("APUS_PORTABLE"), .unsafeFlags(["-Xcc", "-DAPUS_PORTABLE"])] : []

/// One row per instruction set. `flags` steer Swift's code generation and what the shims' header offers.
struct InstructionSet {
  var name: String
  var flags: [String]
  var defines: [String]
}
let instructionSets: [InstructionSet] =
  x86
  ? [
    InstructionSet(name: "Baseline", flags: ["-Xcc", "-march=x86-64"], defines: []),
    InstructionSet(name: "AVX2", flags: ["-Xcc", "-march=x86-64-v3"], defines: ["APUS_FMA"]),
    InstructionSet(name: "AVX512", flags: ["-Xcc", "-march=x86-64-v4"], defines: ["APUS_FMA", "APUS_32_REGISTERS"]),
  ] : [InstructionSet(name: "Baseline", flags: [], defines: [])]

/// Kernel targets share the folder Sources/ApusKernels by symlink. They are always optimised, so that `swift test` is
/// quick: -wmo because nothing inlines across files without it, -num-threads because the index store needs an object a
/// file. The unroll threshold keeps the accumulators of the widest register tiles in registers.
let kernelTargets: [Target] = instructionSets.map { set in
  .target(
    name: "ApusKernels\(set.name)",
    dependencies: ["ApusKernelInterface", "ApusShims"],
    swiftSettings: set.defines.map { .define($0) } + portableSwift + warningsAreErrors + [
      // No stack protector: kernels keep accumulators, not buffers, on the stack. Line tables are enough for traces and
      // profiles; all that a debugger wants of unrolled loops would take four tenths of the build's time.
      .unsafeFlags(
        set.flags + [
          "-Xllvm", "-unroll-threshold=5000", "-Xfrontend", "-disable-stack-protector", "-gline-tables-only",
        ]),
      .unsafeFlags(["-O", "-wmo", "-num-threads", "2"], .when(configuration: .debug)),
    ])
}
let kernelDependencies: [Target.Dependency] = kernelTargets.map { .init(stringLiteral: $0.name) }

let package = Package(
  name: "apus",
  products: [
    .library(name: "Apus", targets: ["Apus"]),
    .library(name: "apus", type: .dynamic, targets: ["ApusSharedLibrary"]),
    .executable(name: "kbench", targets: ["kbench"]),
    .executable(name: "apus-peer-worker", targets: ["apus-peer-worker"]),
    .executable(name: "apus-peer-trainer", targets: ["apus-peer-trainer"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
  ],
  targets: [
    .systemLibrary(name: "CApus", path: "include"),
    // Among what Swift itself needs on Linux.
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    // Hidden, or the version script's apus_* would export them from the shipped library.
    .target(name: "ApusShims", cSettings: portableC + [.unsafeFlags(["-fvisibility=hidden"])]),
    .target(name: "ApusKernelInterface", swiftSettings: warningsAreErrors),
  ] + kernelTargets + [
    .target(
      name: "ApusEngine",
      dependencies: ["ApusKernelInterface", "ApusShims"] + kernelDependencies,
      swiftSettings: portableSwift + warningsAreErrors + [
        // The blocking loops live here: a debug build's tests would take minutes without it.
        .unsafeFlags(["-O"], .when(configuration: .debug))
      ]),
    .target(
      name: "ApusABI", dependencies: ["ApusEngine", "ApusKernelInterface", "ApusShims", "CApus"],
      swiftSettings: warningsAreErrors + [.unsafeFlags(["-O"], .when(configuration: .debug))]),
    .target(
      name: "ApusSharedLibrary", dependencies: ["ApusABI"],
      swiftSettings: warningsAreErrors,
      linkerSettings: [
        .unsafeFlags([
          "-static-stdlib",
          "-Xlinker", "--version-script=\(Context.packageDirectory)/include/apus.map",
          "-Xlinker", "-soname=libapus.so", "-Xlinker", "-z", "-Xlinker", "nodelete",
        ])
      ]),
    .target(
      name: "Apus", dependencies: ["ApusEngine", "ApusKernelInterface", "CZlib"], swiftSettings: warningsAreErrors),
    .executableTarget(
      name: "gemm-c", dependencies: ["ApusABI"], path: "Sources/Examples/gemm-c",
      cSettings: [.headerSearchPath("../../../include")]),
    .executableTarget(
      name: "lenet-c", dependencies: ["ApusABI"], path: "Sources/Examples/lenet-c",
      cSettings: [.headerSearchPath("../../../include")], linkerSettings: [.linkedLibrary("m")]),
    .executableTarget(
      name: "charrnn-c", dependencies: ["ApusABI"], path: "Sources/Examples/charrnn-c",
      cSettings: [.headerSearchPath("../../../include")]),
    .executableTarget(
      name: "conv-c", dependencies: ["ApusABI"], path: "Sources/Examples/conv-c",
      cSettings: [.headerSearchPath("../../../include")]),
    .executableTarget(
      name: "conv-swift", dependencies: ["Apus"], path: "Sources/Examples/conv-swift",
      swiftSettings: warningsAreErrors),
    .executableTarget(
      name: "gemm-swift", dependencies: ["Apus"], path: "Sources/Examples/gemm-swift",
      swiftSettings: warningsAreErrors),
    .executableTarget(
      name: "train-swift", dependencies: ["Apus"], path: "Sources/Examples/train-swift",
      swiftSettings: warningsAreErrors),
    .executableTarget(
      name: "lenet",
      dependencies: ["Apus", "ExampleSupport", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Sources/Examples/lenet", swiftSettings: warningsAreErrors),
    .executableTarget(
      name: "charlm",
      dependencies: ["Apus", "ExampleSupport", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Sources/Examples/charlm", swiftSettings: warningsAreErrors),
    // Data, options and drawings of the training examples.
    .target(
      name: "ExampleSupport",
      dependencies: ["Apus", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Sources/Examples/Support", swiftSettings: warningsAreErrors),
    .target(
      name: "GalleryNetworks",
      dependencies: ["Apus", "ExampleSupport", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Sources/Examples/GalleryNetworks", swiftSettings: warningsAreErrors),
    .target(
      name: "GallerySequences",
      dependencies: ["Apus", "ExampleSupport", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Sources/Examples/GallerySequences", swiftSettings: warningsAreErrors),
    .executableTarget(
      name: "gallery",
      dependencies: [
        "GalleryNetworks", "GallerySequences", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/Examples/gallery", swiftSettings: warningsAreErrors),
    // What kbench does, for its tests to import; the program is its command line. Optimised, for the float64 reference.
    .target(
      name: "KbenchKit", dependencies: ["Apus", "ApusEngine", "ApusKernelInterface", "CApus"],
      path: "Benchmarks/KbenchKit",
      swiftSettings: warningsAreErrors + [.unsafeFlags(["-O"], .when(configuration: .debug))]),
    .executableTarget(
      name: "kbench",
      dependencies: ["KbenchKit", "ApusEngine", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Benchmarks/kbench", swiftSettings: warningsAreErrors),
    .executableTarget(
      name: "apus-peer-worker", dependencies: ["ApusABI"], path: "Benchmarks/PeerWorker",
      cSettings: [.headerSearchPath("../../include")]),
    .executableTarget(
      name: "apus-peer-trainer", dependencies: ["Apus"], path: "Benchmarks/PeerTrainer",
      swiftSettings: warningsAreErrors),
    .target(
      name: "ApusTestSupport", dependencies: ["ApusEngine", "ApusKernelInterface"], path: "Tests/_TestSupport",
      swiftSettings: warningsAreErrors + [
        // References over millions of arguments and products: without it they are what takes a test's time.
        .unsafeFlags(["-O", "-wmo", "-num-threads", "2"], .when(configuration: .debug))
      ]),
    // What a test must not do to its own process (fork, environment, CPU time) it does to this one.
    .executableTarget(
      name: "ApusThreadHost", dependencies: ["ApusEngine", "ApusShims"], path: "Tests/Hosts/ThreadHost",
      swiftSettings: warningsAreErrors),
    .testTarget(
      name: "ApusEngineTests", dependencies: ["ApusEngine", "ApusKernelInterface", "ApusShims", "ApusTestSupport"],
      swiftSettings: warningsAreErrors),
    .testTarget(
      name: "ApusKernelTests",
      dependencies: ["ApusEngine", "ApusKernelInterface", "ApusShims", "ApusTestSupport"] + kernelDependencies,
      swiftSettings: warningsAreErrors),
    .testTarget(
      name: "ApusTests", dependencies: ["Apus"], exclude: ["Fixtures"], swiftSettings: warningsAreErrors),
    // Runs the training examples in their small modes.
    .testTarget(
      name: "ExampleTests", dependencies: ["lenet", "charlm", "gallery", "GalleryNetworks", "GallerySequences"],
      swiftSettings: warningsAreErrors),
    // Compiles and runs what README.md shows.
    .testTarget(name: "ReadmeTests", swiftSettings: warningsAreErrors),
    .testTarget(name: "KbenchTests", dependencies: ["KbenchKit", "kbench"], swiftSettings: warningsAreErrors),
  ],
  swiftLanguageModes: [.v6]
)
