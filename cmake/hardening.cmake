# Warnings and hardening for our own code. Flags that a compiler lacks are left out after a probe.
include(CheckCCompilerFlag)
add_library(remora_flags INTERFACE)
add_library(remora_link_flags INTERFACE)

function(remora_try_flags)
    foreach(flag ${ARGN})
        string(MAKE_C_IDENTIFIER "has${flag}" probe)
        check_c_compiler_flag(${flag} ${probe})
        if(${probe})
            target_compile_options(remora_flags INTERFACE ${flag})
        endif()
    endforeach()
endfunction()

target_compile_definitions(remora_flags INTERFACE _GNU_SOURCE)
target_compile_options(remora_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Werror -Wformat=2
    -Wimplicit-fallthrough -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
    -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing -fno-common)
remora_try_flags(-fstack-clash-protection -fstack-protector-strong -fcf-protection=full
    -ftrivial-auto-var-init=zero -fstrict-flex-arrays=3 -Wtrampolines -Wbidi-chars=any)
# Builds repeat: no folder name of one machine in a binary.
remora_try_flags(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)

if(REMORA_SANITIZE STREQUAL "address")
    set(sanitizers -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
elseif(REMORA_SANITIZE STREQUAL "thread")
    set(sanitizers -fsanitize=thread)
elseif(REMORA_SANITIZE)
    message(FATAL_ERROR "REMORA_SANITIZE is address, thread or empty")
else()
    set(sanitizers)
    if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
        target_compile_options(remora_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    endif()
endif()
target_compile_options(remora_flags INTERFACE ${sanitizers})
target_link_options(remora_flags INTERFACE ${sanitizers})

if(REMORA_COVERAGE)
    target_compile_options(remora_flags INTERFACE --coverage -O0)
    target_link_options(remora_flags INTERFACE --coverage)
endif()
if(REMORA_FUZZ)
    # The warnings are kept by the builds that gate: those of another compiler must not stop a fuzzer.
    target_compile_options(remora_flags INTERFACE -Wno-error)
    target_compile_options(remora_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined)
    target_link_options(remora_flags INTERFACE -fsanitize=address,undefined)
endif()

target_link_options(remora_link_flags INTERFACE -pie -Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,now
    -Wl,-z,nodlopen -Wl,--as-needed -Wl,--gc-sections -static-libgcc -static-libstdc++)
