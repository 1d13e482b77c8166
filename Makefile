# Thin front door; the build is meson.build, the package list is tools/deps.
.PHONY: build run test asan tsan bench fuzz crash deps clean

build: build/build.ninja
	@ninja -C build

build/build.ninja: | deps
	@meson setup build --buildtype=release

run: build
	@build/caisson serve --data-dir $${CAISSON_DATA_DIR:-run}

deps:
	@tools/deps build

test: | deps
	@tools/test

clean:
	rm -rf build build-*
