# One CMake target a folder, and one a program. A folder's sources are found by name, so that adding a
# file needs no edit here; tests/check_layers.py watches what they include.

# lib/base -> remora_base, certs -> remora_certs, proxy/config -> remora_proxy_config
function(remora_target_name path ret_name)
    string(REGEX REPLACE "^lib/" "" name ${path})
    string(REPLACE "/" "_" name ${name})
    set(${ret_name} remora_${name} PARENT_SCOPE)
endfunction()

function(remora_folder path)
    cmake_parse_arguments(ARG "RECURSE" "" "LINK" ${ARGN})
    remora_target_name(${path} target)
    if(ARG_RECURSE)
        file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${path}/*.c)
    else()
        file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${path}/*.c)
    endif()
    if(sources)
        add_library(${target} STATIC ${sources})
        target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
        target_link_libraries(${target} PUBLIC ${ARG_LINK} PRIVATE remora_flags)
    else()
        add_library(${target} INTERFACE)
        target_include_directories(${target} INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
        target_link_libraries(${target} INTERFACE ${ARG_LINK})
    endif()
endfunction()

# Programs are linked with their debug information kept beside them and leave build/bin stripped.
# NO_INSTALL: a tool for developers.
function(remora_program name path)
    cmake_parse_arguments(ARG "NO_INSTALL" "" "LINK" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${path}/*.c)
    if(NOT sources)
        return()
    endif()
    add_executable(${name} ${sources})
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
    target_compile_definitions(${name} PRIVATE REMORA_VERSION="${PROJECT_VERSION}")
    target_link_libraries(${name} PRIVATE ${ARG_LINK} remora_flags remora_link_flags)
    set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
    if(NOT REMORA_SANITIZE AND NOT REMORA_COVERAGE AND NOT REMORA_FUZZ)
        add_custom_command(TARGET ${name} POST_BUILD
            COMMAND ${CMAKE_OBJCOPY} --only-keep-debug $<TARGET_FILE:${name}> $<TARGET_FILE:${name}>.debug
            COMMAND ${CMAKE_STRIP} --strip-all $<TARGET_FILE:${name}>
            COMMAND ${CMAKE_OBJCOPY} --add-gnu-debuglink=$<TARGET_FILE:${name}>.debug $<TARGET_FILE:${name}>
            COMMAND sh ${CMAKE_SOURCE_DIR}/cmake/print-size $<TARGET_FILE:${name}>
            VERBATIM)
    endif()
    if(NOT ARG_NO_INSTALL)
        install(TARGETS ${name} RUNTIME DESTINATION bin)
    endif()
endfunction()

# Every .proto below the folder becomes C by protobuf-c, in a library of its own: generated code does
# not meet our warnings. names.sed beside the protos shortens the generated names.
function(remora_protos path)
    set(root ${CMAKE_SOURCE_DIR}/${path})
    file(GLOB_RECURSE protos CONFIGURE_DEPENDS RELATIVE ${root} ${root}/*.proto)
    if(NOT protos)
        add_library(remora_protos INTERFACE)
        return()
    endif()
    set(out ${CMAKE_BINARY_DIR}/proto)
    file(MAKE_DIRECTORY ${out})
    set(generated)
    foreach(proto ${protos})
        string(REGEX REPLACE "\\.proto$" ".pb-c" stem ${proto})
        list(APPEND generated ${out}/${stem}.c ${out}/${stem}.h)
        add_custom_command(OUTPUT ${out}/${stem}.c ${out}/${stem}.h
            COMMAND ${PROTOC_C} --c_out=${out} -I ${root} ${root}/${proto}
            COMMAND sed -i -f ${root}/names.sed ${out}/${stem}.c ${out}/${stem}.h
            DEPENDS ${root}/${proto} ${root}/names.sed VERBATIM)
    endforeach()
    add_library(remora_protos STATIC ${generated})
    target_include_directories(remora_protos SYSTEM PUBLIC ${out})
    target_compile_options(remora_protos PRIVATE -w -Os)
    target_link_libraries(remora_protos PUBLIC PkgConfig::PROTOBUFC)
endfunction()
