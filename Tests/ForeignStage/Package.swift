// swift-tools-version: 6.2
import PackageDescription

// A package of somebody else: it has the article "Adding a stage" and Penstock's products, nothing
// more.
let package = Package(
    name: "foreign-stage",
    dependencies: [.package(name: "penstock", path: "../..")],
    targets: [
        .target(
            name: "ForeignStages",
            dependencies: [.product(name: "PipelineCore", package: "penstock")]),
        .executableTarget(
            name: "foreign-penstock",
            dependencies: [
                "ForeignStages", .product(name: "PenstockCommand", package: "penstock"),
            ]),
        .testTarget(
            name: "ForeignStagesTests",
            dependencies: [
                "ForeignStages", .product(name: "PipelineTesting", package: "penstock"),
            ]),
    ]
)
